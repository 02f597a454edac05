// SPDX-License-Identifier: MIT
#pragma once
// The codec alone: frames and UTF-8, without state, threads or time. Written by tools/amalgamate.py: includes only.

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
