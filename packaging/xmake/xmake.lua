-- SPDX-License-Identifier: MIT
package("wsolo")
    set_kind("library", {headeronly = true})
    set_homepage("@HOMEPAGE@")
    set_description("Header-only C++20 WebSocket (RFC 6455) framing with one writer per connection")
    set_license("MIT")

    add_urls("@ARCHIVE@")
    add_versions("@VERSION@", "@SHA256@")

    if is_plat("linux", "bsd") then
        add_syslinks("pthread")
    end

    on_install(function (package)
        os.cp("include/wsolo", package:installdir("include"))
    end)

    on_test(function (package)
        assert(package:check_cxxsnippets({test = [[
            bool test() { return wsolo::header_size(125, true) == 6; }
        ]]}, {configs = {languages = "c++20"}, includes = "wsolo/wsolo.hpp"}))
    end)
package_end()
