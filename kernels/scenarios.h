// What the kernels are given: instruments on one underlying, the states of its market, and scenarios.
#pragma once
#include "american.h"

namespace SHOCKGRID_NAMESPACE {

// How an instrument is priced: by its forward, or as an option that is European, European but at least what
// exercise gives, or read from premium tables; or its values are given.
enum Route { LINEAR, EUROPEAN, FLOORED, TABLE, GIVEN, ROUTES };

// Values that Python found, for ``count`` instruments [count, scenarios] and at the market as it is [count];
// flags say which count. ``places`` [instruments of the section]: row of theirs, or -1.
struct Given {
  long long count, scenarios;
  const int* places;
  const double *values, *bases;
  const unsigned char *flags, *base_flags;
};

// The columns of ``contract.Series`` and ``states.States`` (Python), as ctypes hands them over. Those from
// ``units`` to ``premiums`` are read only where there are American options.
struct Section {
  long long count;
  const double *spots, *slopes, *intercepts, *strikes, *years, *vols, *discount_factors;
  const unsigned char *routes, *is_call;
  const double *units, *rates, *yields;
  const int* tables;  // [count, TABLE_RANGES]
  PremiumTables premiums;
  Given given;
  long long spot_states, vol_rules;
  const double *spot_factors, *vol_shocks, *term_powers, *vol_floors, *vol_caps;
  const unsigned char* relative;
  const long long* index;  // [scenarios, 2]: spot state, vol rule
};

// Whether every scenario's states, every route, table and place are there: what follows trusts them.
inline bool indices_exist(const Section& section, long long scenarios) {
  bool exist = true;
  for (long long row = 0; row < section.count; ++row) {
    exist &= section.routes[row] < ROUTES;
    if (section.given.count)
      exist &= section.given.places[row] >= -1 && section.given.places[row] < section.given.count;
    exist &= section.routes[row] != GIVEN || (section.given.count && section.given.places[row] >= 0);
    if (section.routes[row] != TABLE) continue;
    for (int range = 0; range < TABLE_RANGES; ++range) {
      const int table = section.tables[row * TABLE_RANGES + range];
      exist &= table >= NO_TABLE_HERE && table < section.premiums.count;
    }
  }
  for (long long s = 0; s < scenarios; ++s) {
    const long long spot = section.index[2 * s], rule = section.index[2 * s + 1];
    exist &= spot >= 0 && spot < section.spot_states && rule >= 0 && rule < section.vol_rules;
  }
  return exist;
}

// A run of scenarios and the few states they use: scenario s has the spot factor ``spot_factors[spots[s]]``, whose
// log is ``spot_logs[spots[s]]``, and the vol rule ``vol_rules[rules[s]]``.
struct Scenarios {
  long long start, count, spot_count, rule_count;
  int *spots, *rules, *used;
  double *spot_factors, *spot_logs;
  VolRule* vol_rules;
};

// Numbers the states that occur in one column of the index in the order of their first use, and lists them
// in ``used``. ``numbers_of`` is scratch for one int a state. Returns how many there are.
inline long long number_states(
    const long long* index, long long count, long long states, int* numbers_of, int* used, int* numbers) {
  long long found = 0;
  for (long long state = 0; state < states; ++state) numbers_of[state] = -1;
  for (long long s = 0; s < count; ++s) {
    int& number = numbers_of[index[2 * s]];
    if (number < 0) {
      number = int(found);
      used[found++] = int(index[2 * s]);
    }
    numbers[s] = number;
  }
  return found;
}

inline void use_scenarios(
    const Section& section, long long start, long long count, int* numbers_of, Scenarios& run) {
  const long long* index = section.index + 2 * start;
  run.start = start;
  run.count = count;
  run.spot_count = number_states(index, count, section.spot_states, numbers_of, run.used, run.spots);
  for (long long j = 0; j < run.spot_count; ++j) run.spot_factors[j] = section.spot_factors[run.used[j]];
  run.rule_count = number_states(index + 1, count, section.vol_rules, numbers_of, run.used, run.rules);
  for (long long k = 0; k < run.rule_count; ++k) {
    const int rule = run.used[k];
    run.vol_rules[k] = {section.vol_shocks[rule], section.term_powers[rule], section.vol_floors[rule],
                        section.vol_caps[rule], section.relative[rule] != 0};
  }
}

}  // namespace SHOCKGRID_NAMESPACE
