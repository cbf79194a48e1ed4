package lifecycle_test

import (
	"fmt"
	"os"
	"testing"

	"galaxy/rtmanager/internal/testkit/nodetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(crashPlanEnv) != "" {
		if err := runCrashProcess(); err != nil {
			fmt.Fprintln(os.Stderr, "crash process:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(nodetest.Main(m))
}
