package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/drift"
)

func TestDriftFilters(t *testing.T) {
	t.Parallel()
	server := serveManager(t, &fakeManager{report: drift.Report{Findings: findings()}})
	for want, args := range map[string][]string{
		"a\nb b\nd\n": {},
		"a\n":         {"--game", "a"},
		"a\nd\n":      {"--game", "a,d", "--region", "eu", "--node", "n1", "--kind", "exited"},
		"":            {"--kind", "orphan"},
	} {
		got := run(t, server, append([]string{"drift", "-o", `jsonpath={range .findings[*]}{.game_id}{"\n"}{end}`}, args...)...)
		got.requireCode(t, 0, args)
		require.Equal(t, want, got.out, args)
	}
	run(t, server, "drift", "--exit-code").requireCode(t, 1, "findings")
	got := run(t, server, "drift", "--exit-code", "--region", "us")
	got.requireCode(t, 0, "no findings")
	require.Equal(t, "no drift: records and engines agree\n", got.out)
}
