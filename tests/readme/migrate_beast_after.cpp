// The program in docs/migrate/beast.md after, where Boost is.
#if __has_include(<boost/beast.hpp>)
@WHOLE@
#endif
