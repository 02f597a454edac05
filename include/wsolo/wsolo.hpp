#pragma once
// Everything but adapt/ and testing/. Written by tools/amalgamate.py: includes only.

#include "core/byte_buffer.hpp"
#include "core/bytes.hpp"
#include "core/config.hpp"
#include "core/cpu.hpp"
#include "core/error.hpp"
#include "core/error_category.hpp"
#include "core/random.hpp"
#include "core/result.hpp"
#include "core/role.hpp"

#include "text/utf8.hpp"

#include "frame/check.hpp"
#include "frame/close_code.hpp"
#include "frame/control_reply.hpp"
#include "frame/decode.hpp"
#include "frame/encode.hpp"
#include "frame/header.hpp"
#include "frame/mask.hpp"
#include "frame/opcode.hpp"
#include "frame/payload.hpp"
#include "frame/shared_frame.hpp"

#include "sync/blocking_traits.hpp"
#include "sync/spin_lock.hpp"
#include "sync/traits.hpp"

#include "write/budget.hpp"
#include "write/drain.hpp"
#include "write/outbound.hpp"
#include "write/outbox.hpp"
#include "write/side.hpp"
#include "write/single_writer.hpp"
#include "write/threaded.hpp"
#include "write/transport.hpp"
