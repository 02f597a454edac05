import os
import re

from conan import ConanFile
from conan.errors import ConanException
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout

required_conan_version = ">=2.0"


class WsoloConan(ConanFile):
    name = "wsolo"
    description = "Header-only C++20 WebSocket (RFC 6455) framing with one writer per connection"
    license = "MIT"
    author = "the wsolo authors"
    topics = ("websocket", "rfc6455", "header-only", "framing", "concurrency")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    exports = "packaging/HOMEPAGE"
    exports_sources = "include/*", "LICENSE"
    no_copy_source = True
    # What the adapters of these names need; wsolo itself needs nothing.
    libraries = {
        "asio": "asio/[>=1.22 <2]",
        "boost": "boost/[>=1.74 <2]",
        "libuv": "libuv/[>=1.19 <2]",
        "openssl": "openssl/[>=1.1.1 <4]",
        "zlib": "zlib/[>=1.2.11 <2]",
    }
    options = {f"with_{name}": [True, False] for name in libraries}
    default_options = {name: False for name in options}

    def init(self):
        self.homepage = self.url = load(self, os.path.join(self.recipe_folder, "packaging", "HOMEPAGE")).strip()

    def set_version(self):
        header = load(self, os.path.join(self.recipe_folder, "include", "wsolo", "version.hpp"))
        parts = [re.search(rf"#define WSOLO_VERSION_{part} (\d+)", header) for part in ("MAJOR", "MINOR", "PATCH")]
        if not all(parts):
            raise ConanException("include/wsolo/version.hpp holds no version")
        self.version = ".".join(part.group(1) for part in parts)

    def layout(self):
        basic_layout(self, src_folder=".")

    def requirements(self):
        for name, reference in self.libraries.items():
            if self.options.get_safe(f"with_{name}"):
                self.requires(reference, transitive_headers=True)

    def package_id(self):
        self.info.clear()

    def validate(self):
        check_min_cppstd(self, 20)

    def package(self):
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        copy(self, "*.hpp", src=os.path.join(self.source_folder, "include"),
             dst=os.path.join(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "wsolo")
        self.cpp_info.set_property("cmake_target_name", "wsolo::wsolo")
        self.cpp_info.set_property("cmake_config_version_compat", "SameMinorVersion")
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["pthread"]
