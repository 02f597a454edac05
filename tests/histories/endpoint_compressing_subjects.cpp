// Endpoints for histories on a pair: those that compress.

#include "endpoint_subject_of.hpp"

namespace histories {

std::unique_ptr<endpoint_subject> make_compressing_endpoint(bool is_client, handled_by where,
                                                            const wsolo::endpoint_options& how,
                                                            const agreement& agreed,
                                                            wsolo::testing::pair_end& end,
                                                            endpoint_surroundings& around) {
    return endpoints::make_either < WSOLO_TEST_ZLIB != 0 > (is_client, where, how, agreed, end, around);
}

} // namespace histories
