package lifecycle_test

import (
	"fmt"
	"os"
	"testing"

	"galaxy/rtmanager/internal/testkit/nodetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		if err := runVictim(); err != nil {
			fmt.Fprintln(os.Stderr, "victim:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(nodetest.Main(m))
}
