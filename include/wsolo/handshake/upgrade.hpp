// SPDX-License-Identifier: MIT
#pragma once
// The opening handshake, both sides (RFC 6455 §4): includes only.

#include "accept_key.hpp"
#include "answer.hpp"
#include "client.hpp"
#include "client_judge.hpp"
#include "client_key.hpp"
#include "client_request.hpp"
#include "extension.hpp"
#include "header_list.hpp"
#include "http_head.hpp"
#include "judge.hpp"
#include "negotiate.hpp"
#include "request.hpp"
#include "response.hpp"
#include "server.hpp"
