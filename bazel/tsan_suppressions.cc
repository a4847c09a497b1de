// What ThreadSanitizer leaves out, compiled into every program of the tsan configuration
// (.bazelrc), so that processes which a test starts have it too.
//
// Debian's libraries are not instrumented. What they do to memory by themselves is not seen; what
// they do through intercepted functions (memcpy, close, operator delete) is, but the atomics and
// the Abseil mutexes that order it are not, and that looks like a race. Left out are exactly those
// intercepted calls, by the library that makes them: "called_from_lib" where the sanitizer asks for
// the caller before it looks, "race" for new and delete, where it does not. As nothing else of an
// uninstrumented library is ever on a stack, a race in our own callbacks is still reported. libgpr
// must not get a "race" line: it creates gRPC's threads, and a report names the creator of each
// thread.
//
// Our own code must order its accesses by std::mutex and the like: an absl::Mutex is invisible
// here, and so is a hand-over from one gRPC thread to another.

// The name that the sanitizer's runtime looks for.
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libgrpc.so\n"
         "called_from_lib:libgrpc++.so\n"
         "called_from_lib:libgpr.so\n"
         "called_from_lib:libupb.so\n"
         "called_from_lib:libprotobuf.so\n"
         "called_from_lib:libabsl_base.so\n"
         "called_from_lib:libabsl_cord.so\n"
         "called_from_lib:libabsl_cord_internal.so\n"
         "called_from_lib:libabsl_graphcycles_internal.so\n"
         "called_from_lib:libabsl_random_internal_pool_urbg.so\n"
         "called_from_lib:libabsl_status.so\n"
         "called_from_lib:libabsl_strerror.so\n"
         "called_from_lib:libabsl_strings.so\n"
         "called_from_lib:libabsl_synchronization.so\n"
         "race:libgrpc.so\n"
         "race:libgrpc++.so\n"
         "race:libupb.so\n"
         "race:libabsl_cord.so\n"
         "race:libabsl_cord_internal.so\n"
         "race:libabsl_status.so\n";
}
