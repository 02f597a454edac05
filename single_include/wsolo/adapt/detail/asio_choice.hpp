// Written by tools/amalgamate.py from include/wsolo/adapt/detail/asio_choice.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// Which Asio the adapters for it use: standalone Asio, or Boost's where WSOLO_USE_BOOST_ASIO is defined, or only that is found.
// Needs: asio.hpp (1.22 or later), or Boost.Asio 1.74 or later where that macro is defined, or only it is found.
//
// Laws of this file:
// - WSOLO_ASIO_IS_BOOST says which. The adapters' names lie in an inline namespace of that choice, so that a program with both
//   kinds of translation unit links; `net` is Asio's own.

#include "../../wsolo.hpp"

#if !defined(WSOLO_USE_BOOST_ASIO) && !__has_include(<asio.hpp>)
#if !__has_include(<boost/asio.hpp>)
#error                                                                                                       \
    "wsolo's adapters for Asio need it: its own asio.hpp (1.22 or later), or Boost's boost/asio.hpp (1.74 or later)."
#endif
#define WSOLO_USE_BOOST_ASIO 1
#endif

#if defined(WSOLO_USE_BOOST_ASIO)
#define WSOLO_ASIO_IS_BOOST 1
#define WSOLO_ASIO_CHOICE over_boost
namespace boost::asio {}
namespace wsolo::inline WSOLO_ABI::adapt::asio::inline WSOLO_ASIO_CHOICE {
namespace net = ::boost::asio;
}
#else
#define WSOLO_ASIO_IS_BOOST 0
#define WSOLO_ASIO_CHOICE over_asio
namespace asio {}
namespace wsolo::inline WSOLO_ABI::adapt::asio::inline WSOLO_ASIO_CHOICE {
namespace net = ::asio;
}
#endif
