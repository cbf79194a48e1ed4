package storetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The environment variables that make RunModel larger, or repeat what failed.
const (
	EnvModelPrograms = "RTMANAGER_MODEL_PROGRAMS"
	EnvModelSteps    = "RTMANAGER_MODEL_STEPS"
	EnvModelSeed     = "RTMANAGER_MODEL_SEED"
)

// RunModel runs random programs of so many steps side by side on a fresh
// memstore and on a fresh store of the harness, and wants equal answers to every
// step: records, errors and what they carry, lists, pages, ledgers and watches.
// Revisions are equal when they stand for the same write. A program that fails
// is cut down to the steps it needs and printed with its seed. The environment
// may set other numbers, and the seed of the first program.
//
// It logs how many operations the harness's stores have carried out. It must not
// run beside other tests on stores that share a counter of revisions with these,
// since the programs compact; so it never calls t.Parallel.
func RunModel(t *testing.T, h Harness, programs, steps int) {
	t.Helper()
	programs = int(fromEnv(t, EnvModelPrograms, int64(programs)))
	steps = int(fromEnv(t, EnvModelSteps, int64(steps)))
	first := uint64(fromEnv(t, EnvModelSeed, rand.Int64N(1<<53)))
	operations := 0
	for n := range programs {
		seed := first + uint64(n)
		program := newProgram(h, seed, steps)
		ran, err := runProgram(t, h, fmt.Sprintf("seed %d", seed), program)
		operations += ran
		if err != nil {
			t.Fatalf("the store and the model disagree; repeat with %s=%d %s=1 %s=%d\n%v\nthe steps that are needed:\n%s",
				EnvModelSeed, seed, EnvModelPrograms, EnvModelSteps, steps, err, shrink(t, h, program))
		}
	}
	t.Logf("model: %d programs of %d steps from seed %d, %d operations on the store", programs, steps, first, operations)
}

func fromEnv(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	number, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err, name)
	require.GreaterOrEqual(t, number, int64(0), name)
	return number
}

// runProgram runs the program in a subtest, so that its store is closed when it
// ends. It returns the number of operations and the first disagreement.
func runProgram(t *testing.T, h Harness, name string, program []step) (operations int, err error) {
	t.Helper()
	passed := t.Run(name, func(t *testing.T) {
		p := newPair(t, h)
		for i, s := range program {
			if err = p.run(s); err != nil {
				err = fmt.Errorf("step %d, %s: %w", i, s, err)
				break
			}
		}
		if err == nil {
			err = p.check()
		}
		operations = p.operations
	})
	if !passed {
		t.FailNow()
	}
	return operations, err
}

// shrinkRuns bounds how long shrink may take.
const shrinkRuns = 300

// shrink takes steps away, many at a time at first, as long as what is left
// still fails, and returns the rest as text.
func shrink(t *testing.T, h Harness, program []step) string {
	t.Helper()
	runs := 0
	for size := len(program) / 2; size > 0; size /= 2 {
		for from := 0; from < len(program) && runs < shrinkRuns; runs++ {
			to := min(from+size, len(program))
			shorter := append(append([]step{}, program[:from]...), program[to:]...)
			if _, err := runProgram(t, h, "shrink", shorter); err != nil {
				program = shorter
			} else {
				from = to
			}
		}
	}
	lines := make([]string, len(program))
	for i, s := range program {
		lines[i] = s.String()
	}
	return strings.Join(lines, "\n")
}
