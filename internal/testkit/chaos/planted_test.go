//go:build planted

package chaos_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/planted"
)

// maxPlantedRuns is the number of runs within which each planted bug must be found.
const maxPlantedRuns = 50

// TestPlantedBugsAreFound makes runs with one planted bug after the other until a run has a violation.
// RTMANAGER_CHAOS_BUGS names some of them, separated by commas.
func TestPlantedBugsAreFound(t *testing.T) {
	bugs := planted.All()
	if text := os.Getenv("RTMANAGER_CHAOS_BUGS"); text != "" {
		bugs = nil
		for name := range strings.SplitSeq(text, ",") {
			bugs = append(bugs, planted.Bug(name))
		}
	}
	var table strings.Builder
	for _, bug := range bugs {
		t.Run(string(bug), func(t *testing.T) {
			table.WriteString(findPlanted(t, bug))
		})
	}
	t.Logf("\n| bug | found by run | seed | layout | what the check reports |\n|---|---|---|---|---|\n%s", table.String())
}

// findPlanted runs TestChaos in another process and returns a row of the table.
func findPlanted(t *testing.T, bug planted.Bug) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChaos$", "-test.v", "-test.timeout=0")
	cmd.Env = append(os.Environ(), "RTMANAGER_PLANTED_BUG="+string(bug), fmt.Sprintf("RTMANAGER_CHAOS_RUNS=%d", maxPlantedRuns), "RTMANAGER_CHAOS_DIR="+dir)
	output, errRun := cmd.CombinedOutput()
	var summary struct {
		Runs []struct {
			Seed       uint64         `json:"seed"`
			Layout     string         `json:"layout"`
			Violations map[string]int `json:"violations"`
			Summaries  []string       `json:"summaries"`
		} `json:"runs"`
	}
	content, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	require.NoError(t, err, "%v\n%s", errRun, output[max(0, len(output)-4096):])
	require.NoError(t, json.Unmarshal(content, &summary))
	require.NotEmpty(t, summary.Runs)
	last := summary.Runs[len(summary.Runs)-1]
	if len(last.Violations) == 0 {
		t.Errorf("%s was not found in %d runs\n%s", bug, len(summary.Runs), output[max(0, len(output)-4096):])
		return fmt.Sprintf("| `%s` | not in %d | | | |\n", bug, len(summary.Runs))
	}
	var rules []string
	for rule := range last.Violations {
		rules = append(rules, rule)
	}
	return fmt.Sprintf("| `%s` | %d | %d | %s | %s |\n", bug, len(summary.Runs), last.Seed, last.Layout, strings.Join(rules, ", "))
}
