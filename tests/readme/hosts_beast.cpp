// The program in docs/hosts/beast.md, where Boost is.
#if __has_include(<boost/beast.hpp>)
@WHOLE@
#endif
