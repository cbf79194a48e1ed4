package chaos_test

import (
	"os"
	"testing"

	"galaxy/rtmanager/internal/testkit/regions"
)

func TestMain(m *testing.M) { os.Exit(regions.Main(m)) }
