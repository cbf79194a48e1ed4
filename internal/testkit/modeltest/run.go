package modeltest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/storetest"
)

// The environment variables that change the size and the seed of Run.
const (
	programsVariable = "RTMANAGER_MODEL_PROGRAMS"
	stepsVariable    = "RTMANAGER_MODEL_STEPS"
	seedVariable     = "RTMANAGER_MODEL_SEED"
)

// Run runs random programs on a store of the harness and on a model of
// Harness.NewModel, which must not be nil. It fails unless both return the same result
// for every step: records, errors and their fields, lists, pages, ledgers and watches.
// Two revisions are the same if they belong to the same write.
//
// Run shrinks a program that fails to the steps that it needs, and prints it with its seed.
// RTMANAGER_MODEL_PROGRAMS, RTMANAGER_MODEL_STEPS and RTMANAGER_MODEL_SEED override the
// number of programs, the number of steps of each, and the seed of the first program.
//
// The programs compact. Run therefore never calls t.Parallel, and must not run
// concurrently with tests on stores that share a revision counter with these.
func Run(t *testing.T, h storetest.Harness, programs, steps int) {
	t.Helper()
	programs = int(envInt(t, programsVariable, int64(programs)))
	steps = int(envInt(t, stepsVariable, int64(steps)))
	first := uint64(envInt(t, seedVariable, rand.Int64N(1<<53)))
	operations := 0
	for n := range programs {
		seed := first + uint64(n)
		program := newProgram(h, seed, steps)
		ran, err := runProgram(t, h, fmt.Sprintf("seed %d", seed), program)
		operations += ran
		if err != nil {
			t.Fatalf("the store and the model differ; repeat with %s=%d %s=1 %s=%d\n%v\nthe shrunk program:\n%s",
				seedVariable, seed, programsVariable, stepsVariable, steps, err, shrink(t, h, program))
		}
	}
	t.Logf("model: %d programs of %d steps from seed %d, %d operations on the store", programs, steps, first, operations)
}

// envInt returns the number in the environment variable, or the default if it is empty.
func envInt(t *testing.T, name string, defaultValue int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return defaultValue
	}
	number, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err, name)
	require.GreaterOrEqual(t, number, int64(0), name)
	return number
}

// runProgram runs the program in a subtest, which closes the store at its end. It
// returns the number of operations and the first difference.
func runProgram(t *testing.T, h storetest.Harness, name string, program []step) (operations int, err error) {
	t.Helper()
	passed := t.Run(name, func(t *testing.T) {
		p := newModelPair(t, h)
		for i, s := range program {
			if err = p.runStep(s); err != nil {
				err = fmt.Errorf("step %d, %s: %w", i, s, err)
				break
			}
		}
		if err == nil {
			err = p.checkStore()
		}
		operations = p.operations
	})
	if !passed {
		t.FailNow()
	}
	return operations, err
}

// maxShrinkRuns is the largest number of programs that shrink runs.
const maxShrinkRuns = 300

// shrink removes steps, many at a time at first, while the rest still fails. It returns
// the remaining steps as text.
func shrink(t *testing.T, h storetest.Harness, program []step) string {
	t.Helper()
	runs := 0
	for size := len(program) / 2; size > 0; size /= 2 {
		for from := 0; from < len(program) && runs < maxShrinkRuns; runs++ {
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
