// Would catch: a comma for a semicolon, a member or a local that hides another, a template argument deduced where that is not meant:
// warnings of clang that a user may have as errors, in wsolo's headers. Compiled by check.clang_warnings.

#include <wsolo/codec.hpp>
#include <wsolo/deflate/permessage_deflate.hpp>
#include <wsolo/endpoint/conversation.hpp>
#include <wsolo/sync/await.hpp>
#include <wsolo/testing/completing_transport.hpp>
#include <wsolo/testing/pair.hpp>
#include <wsolo/testing/scripted_transport.hpp>
#include <wsolo/testing/stream_link.hpp>
#include <wsolo/wsolo.hpp>

#if __has_include(<sys/socket.h>)
#include <wsolo/adapt/poll.hpp>
#include <wsolo/adapt/posix.hpp>
#endif
#if __has_include(<asio.hpp>)
#include <wsolo/adapt/asio.hpp>
#include <wsolo/adapt/asio_await.hpp>
#include <wsolo/adapt/asio_conversation.hpp>
#endif
#if __has_include(<openssl/ssl.h>)
#include <wsolo/adapt/openssl.hpp>
#endif
#if __has_include(<uv.h>)
#include <wsolo/adapt/libuv.hpp>
#endif
#if __has_include(<zlib.h>)
#include <wsolo/adapt/zlib.hpp>
#endif
