package regions_test

import (
	"flag"
	"os"
	"testing"

	"galaxy/rtmanager/internal/testkit/regions"
)

// The flags of the tests, after -args.
var (
	measureOnly   = flag.Bool("measure", false, "let the test of round trips measure only: no bound and no failed call fails it")
	faultDuration = flag.Duration("faults", 0, "how long the test of faults injects every fault, one after the other; 0 selects two short faults")
)

func TestMain(m *testing.M) { os.Exit(regions.Main(m)) }
