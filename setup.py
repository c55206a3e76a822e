"""The native scanner, an optional extension; everything else stands in pyproject.toml."""

import sys
from glob import glob

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "toolkit._scan",
            ["toolkit/_scan.cpp"],
            depends=glob("toolkit/native/*.h"),
            include_dirs=["toolkit"],
            language="c++",
            extra_compile_args=(
                ["/std:c++17", "/O2"]
                if sys.platform == "win32"
                else ["-std=c++17", "-O3", "-fvisibility=hidden"]
            ),
            define_macros=[("Py_LIMITED_API", "0x030b0000")],
            py_limited_api=True,
            optional=True,  # with no compiler the reference decoder serves
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
