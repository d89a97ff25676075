#!/usr/bin/python3
"""/metrics as Prometheus' own tool judges it, and that what users rely on is there.

    tests/monitoring/metrics.py PATH_TO_CONNHOOK [TEST]...
"""
import sys
import unittest

from monitored import Exported, main

PROMTOOL = TOOLS = None     # set by main

# Names and labels that are promised: dashboards, alerts and people rely on them.
PROMISED = {
    'connhook_admission_requests_total': {'webhook', 'operation', 'kind', 'decision', 'dry_run'},
    'connhook_admission_duration_seconds': set(),
    'connhook_rule_violations_total': {'rule', 'mode'},
    'connhook_injected_total': {'binding'},
    'connhook_skipped_total': {'reason'},
    'connhook_http_responses_total': {'code'},
    'connhook_connections': set(),
    'connhook_config_last_reload_successful': set(),
    'connhook_config_last_reload_success_timestamp_seconds': set(),
    'connhook_tls_certificate_not_after_timestamp_seconds': set(),
    'connhook_client_ca_not_after_timestamp_seconds': set(),
    'connhook_build_info': {'version', 'configuration'},
    'process_cpu_seconds_total': set(),
    'process_resident_memory_bytes': set(),
    'process_virtual_memory_bytes': set(),
    'process_open_fds': set(),
    'process_max_fds': set(),
    'process_start_time_seconds': set(),
}
DECISIONS = {'allowed', 'patched', 'denied', 'skipped', 'error'}
SMALLEST_BUCKET = '5e-05'


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.exported = Exported()

    def test_promtool_says_nothing(self):
        self.assertEqual(PROMTOOL.run('check', 'metrics', text=self.exported.text), (0, ''))

    def test_promtool_would_say_something(self):
        """The test above cannot pass because promtool reads nothing."""
        status, said = PROMTOOL.run('check', 'metrics', text=self.exported.text.replace('# HELP connhook_conn', '# '))
        self.assertNotEqual(status, 0)
        self.assertIn('connhook_connections', said)

    def test_what_is_promised(self):
        for name, labels in PROMISED.items():
            self.assertIn(name, self.exported.types)
            if self.exported.types[name] != 'histogram':
                self.assertEqual(self.exported.labels(name), labels, name)

    def test_the_load_was_mixed(self):
        series = self.exported.series
        self.assertEqual({s['decision'] for s in series['connhook_admission_requests_total']}, DECISIONS)
        self.assertEqual({s['mode'] for s in series['connhook_rule_violations_total']}, {'enforce', 'warn'})
        self.assertIn(SMALLEST_BUCKET, {s['le'] for s in series['connhook_admission_duration_seconds_bucket']})


if __name__ == '__main__':
    main(sys.modules[__name__])
