"""Build the compiled block of the second metric."""

from Cython.Build import cythonize
from setuptools import Extension, setup

setup(
    ext_modules=cythonize(
        [Extension("stotmetrics_example._area", ["stotmetrics_example/_area.pyx"])],
        compiler_directives={"language_level": 3, "boundscheck": False, "wraparound": False},
    )
)
