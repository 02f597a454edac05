#pragma once
// Everything but the adapters (adapt/). Written by tools/amalgamate.py: includes only.

#include "core/byte_buffer.hpp"
#include "core/bytes.hpp"
#include "core/config.hpp"
#include "core/error.hpp"
#include "core/error_category.hpp"
#include "core/random.hpp"
#include "core/result.hpp"
#include "core/role.hpp"

#include "sync/blocking_traits.hpp"
#include "sync/traits.hpp"
