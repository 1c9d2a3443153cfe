// Which of the instruction sets in this library the processor runs.

// Names divided by spaces, the fastest first. The last, ``baseline`` on x86-64, has no fused multiply-add in
// hardware: it gives the same bits some fifty times slower and is there to prove that.
extern "C" __attribute__((visibility("default"))) const char* shockgrid_instruction_sets() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return v4 ? "v4 v3 baseline" : v3 ? "v3 baseline" : "baseline";
#else
  return "generic";
#endif
}
