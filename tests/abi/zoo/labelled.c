/* A plugin with metrics. It does with them what the planned object's name asks for. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plain.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const oarlock_host* host_of_instance;
static const oarlock_host_metrics* metrics;

static const oarlock_str_view by_food[] = {TEXT("food")};
static const oarlock_str_view twice[] = {TEXT("food"), TEXT("food")};
static const oarlock_str_view by_plugin[] = {TEXT("plugin")};
static const oarlock_f64 rising[] = {1, 10};
static const oarlock_f64 falling[] = {10, 1};

static const oarlock_metric_view meals = {.struct_size = sizeof(meals),
                                          .kind = OARLOCK_METRIC_COUNTER,
                                          .name = TEXT("meals_total"),
                                          .help = TEXT("Meals eaten, by food"),
                                          .labels = by_food,
                                          .label_count = 1};
static const oarlock_metric_view asleep = {.struct_size = sizeof(asleep),
                                           .kind = OARLOCK_METRIC_GAUGE,
                                           .name = TEXT("asleep"),
                                           .help = TEXT("Animals that sleep")};
static const oarlock_metric_view weight = {.struct_size = sizeof(weight),
                                           .kind = OARLOCK_METRIC_HISTOGRAM,
                                           .name = TEXT("weight_grams"),
                                           .help = TEXT("Weights of animals"),
                                           .buckets = rising,
                                           .bucket_count = 2};
static uint64_t meals_id, asleep_id, weight_id;

static oarlock_str_view str(const char* text) {
  const oarlock_str_view view = {text, strlen(text)};
  return view;
}

static oarlock_status declare(const oarlock_metric_view* view, uint64_t* out) {
  return metrics->declare(host_of_instance->ctx, view, out);
}

static oarlock_status series(uint64_t metric, const char* value, uint64_t* out) {
  const oarlock_str_view values[] = {str(value == NULL ? "" : value)};
  return metrics->series(host_of_instance->ctx, metric, values, value == NULL ? 0 : 1, out);
}

static oarlock_status eat(const char* food, double amount) {
  uint64_t id = 0;
  const oarlock_status made = series(meals_id, food, &id);
  return made != OARLOCK_OK ? made : metrics->add(host_of_instance->ctx, id, amount);
}

/* Everything right; what the page then shows is in the test. */
static oarlock_status all_well(void) {
  oarlock_host_ctx* const ctx = host_of_instance->ctx;
  uint64_t sleepers = 0;
  uint64_t weights = 0;
  int32_t sum = 0;
  sum += eat("hay", 2) + eat("hay", 0.5) + eat("gr\xc3\xbcn", 1);
  sum += series(asleep_id, NULL, &sleepers) + metrics->set(ctx, sleepers, 7);
  sum += metrics->add(ctx, sleepers, -3);
  sum += series(weight_id, NULL, &weights) + metrics->observe(ctx, weights, 1);
  sum += metrics->observe(ctx, weights, 5) + metrics->observe(ctx, weights, 100);
  return sum == 0 ? OARLOCK_OK : OARLOCK_ERROR;
}

static oarlock_status flood(void) {
  oarlock_status sum = OARLOCK_OK;
  for (int i = 0; i < 3000; ++i) {
    char food[32];
    snprintf(food, sizeof(food), "food-%d", i);
    sum += eat(food, 1);
  }
  return sum;
}

/* Declarations and calls that are wrong in one way each. How many were not refused. */
static int wrong_ones(void) {
  oarlock_host_ctx* const ctx = host_of_instance->ctx;
  oarlock_metric_view bad[14];
  char long_text[600];
  uint64_t id = 0;
  uint64_t hay = 0;
  int taken = 0;
  memset(long_text, 'a', sizeof(long_text) - 1);
  long_text[sizeof(long_text) - 1] = '\0';
  for (size_t i = 0; i < COUNT(bad); ++i)
    bad[i] = meals;
  bad[0].struct_size = 16;
  bad[1].kind = 9;
  bad[2].name = str("meals"); /* a counter without _total */
  bad[3].name = str("Meals_total");
  bad[4].name = str("9_total-");
  bad[5].name = str(long_text);
  bad[6].help = str("");
  bad[7].help = str("\xff");
  bad[8].labels = twice, bad[8].label_count = 2;
  bad[9].labels = by_plugin;
  bad[10].label_count = 11;
  bad[11].buckets = rising, bad[11].bucket_count = 2; /* of a counter */
  bad[12] = weight, bad[12].name = str("other_grams"), bad[12].buckets = falling;
  bad[13] = asleep, bad[13].name = str("meals_total"), bad[13].kind = OARLOCK_METRIC_GAUGE;
  for (size_t i = 0; i < COUNT(bad); ++i)
    taken += declare(&bad[i], &id) == OARLOCK_OK;
  bad[0] = meals, bad[0].help = str("Something else");
  taken += declare(&bad[0], &id) == OARLOCK_OK;
  taken += declare(NULL, &id) == OARLOCK_OK;
  taken += declare(&meals, NULL) == OARLOCK_OK;
  taken += series(4711, "hay", &id) == OARLOCK_OK;
  taken += series(meals_id, NULL, &id) == OARLOCK_OK;
  taken += series(meals_id, "\xff", &id) == OARLOCK_OK;
  taken += series(meals_id, long_text, &id) == OARLOCK_OK;
  taken += series(meals_id, "hay", &hay) != OARLOCK_OK;
  taken += metrics->add(ctx, hay, -1) == OARLOCK_OK;
  taken += metrics->add(ctx, hay, (double)NAN) == OARLOCK_OK;
  taken += metrics->set(ctx, hay, 1) == OARLOCK_OK;
  taken += metrics->observe(ctx, hay, 1) == OARLOCK_OK;
  taken += metrics->add(ctx, 4711, 1) == OARLOCK_OK;
  taken += metrics->add(NULL, hay, 1) == OARLOCK_OK;
  return taken;
}

static oarlock_status create(const oarlock_host* host, const oarlock_create_view* create_view,
                             const oarlock_error_out* error_out, oarlock_instance** out_instance) {
  static char instance;
  (void)create_view, (void)error_out;
  host_of_instance = host;
  metrics = host->extension(host->ctx, str(OARLOCK_EXT_METRICS));
  *out_instance = (oarlock_instance*)&instance;
  if (metrics == NULL) return OARLOCK_ERROR;
  return declare(&meals, &meals_id) + declare(&asleep, &asleep_id) + declare(&weight, &weight_id);
}

static oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) {
  char how[64] = "";
  char said[64];
  (void)self, (void)out;
  if (view->object_name.size < sizeof(how)) {
    memcpy(how, view->object_name.data, view->object_name.size);
  }
  if (strcmp(how, "well") == 0) return all_well();
  if (strcmp(how, "flood") == 0) return flood();
  if (strcmp(how, "crash") == 0) __builtin_trap();
  snprintf(said, sizeof(said), "%d were taken", wrong_ones());
  const oarlock_condition_view told = {sizeof(told), OARLOCK_CONDITION_TRUE, str("Told"),
                                       str("Asked"), str(said)};
  return out->condition(out->ctx, &told);
}

ZOO_PLUGIN(.create = create, .start = start_plainly, .plan = plan, .drain = nothing,
           .stop = nothing, .destroy = nothing);
