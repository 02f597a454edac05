// The program in docs/migrate/beast.md before, where Boost is.
#if __has_include(<boost/beast.hpp>)
@WHOLE@
#endif
