// Endpoints for histories on a pair: those without compression.

#include "endpoint_subject_of.hpp"

namespace histories {

std::unique_ptr<endpoint_subject> make_endpoint(bool is_client, handled_by where,
                                                const wsolo::endpoint_options& how, const agreement& agreed,
                                                wsolo::testing::pair_end& end,
                                                endpoint_surroundings& around) {
    return agreed.compresses() ? make_compressing_endpoint(is_client, where, how, agreed, end, around)
                               : endpoints::make_either<false>(is_client, where, how, agreed, end, around);
}

} // namespace histories
