// Package enginetest is the contract of ports.Engine as a test suite. Each sentence of the
// contract is a subtest, and every engine runs all of them through Run.
//
// To add a sentence to the contract, write it in the doc of ports.Engine. Then add a
// contractTest with the same words to the file of its topic. If not every engine has the
// feature, add a field to Harness, and omit the test unless the field is set. The engines
// are dockerengine, processengine and testkit/fakeengine; each has a contract_test.go.
//
//	enginetest.go    Harness and Run
//	fixture.go       an engine of a fresh store, and helpers
//	gameclient.go    BuildGame, and requests to a running cmd/gameserver
//	eventreader.go   a reader of Engine.Events
//	invalidspecs.go  specs that Create must reject
//
// Every other file holds the tests of the topic that it is named for.
package enginetest

import (
	"testing"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/gameports"
	"galaxy/rtmanager/internal/ports"
)

// Owner identifies the containers that an engine reads and changes.
type Owner struct{ Store, Region, Node string }

// Harness adapts an engine to the suite and describes its features. Run omits the tests
// of a feature whose function is nil or whose flag is false.
type Harness struct {
	// Open opens an engine as the daemon of this owner does, with GamePorts. The engine must find the
	// containers of earlier engines, including those of other owners. Open registers its
	// cleanup with t.Cleanup. It may close earlier engines, since the suite does not use
	// them after Open. Every test uses a fresh store.
	Open func(t *testing.T, owner Owner) ports.Engine

	// GamePorts is the range of ports of the engine for players, of NewGamePorts.
	GamePorts gameports.Range

	// Image is an image that is on the node. It supports the flags of cmd/gameserver, at
	// least --ignore-sigterm and --slow-exit. MissingImage cannot be obtained.
	Image, MissingImage string

	// Kill kills the first process of a running game with signal 9, without a call to the
	// engine.
	Kill func(t *testing.T, c container.Container)

	// RunsGames is set if Image is cmd/gameserver and really runs: it responds at its
	// endpoint, has variables and arguments, and writes a log.
	RunsGames bool

	// Crash makes a running game exit with the code. If it is nil, the suite sends the
	// game a request, which needs RunsGames.
	Crash func(t *testing.T, c container.Container, code int)

	// RemoveExternally removes the container in any state, without a call to the engine.
	RemoveExternally func(t *testing.T, c container.Container)

	// ChecksPorts is set if a container does not start while another program uses its port
	// on the node.
	ChecksPorts bool

	// SignalsAll is set if Stop sends SIGTERM to all processes of a game. Docker sends it to the
	// first process only.
	SignalsAll bool

	// IsShared is set if several nodes can use the engine at the same time.
	IsShared bool

	// Network is a network that containers can join; empty if the engine has none.
	Network string

	// Program returns the path of the program cmd/gameserver for a command in the container; nil if the engine
	// runs no commands.
	Program func(c container.Container) string

	// Limits is set if the engine can limit CPUs and memory.
	Limits bool
}

// contractTest is the test of one sentence of the contract, which is its name.
type contractTest struct {
	name string
	run  func(t *testing.T, f *fixture)
}

// Run runs the whole suite in parallel. Each test has its own harness, and removes the
// containers that it created.
func Run(t *testing.T, harness func(t *testing.T) Harness) {
	features := harness(t)
	for _, group := range []struct {
		name  string
		tests []contractTest
	}{
		{"image", imageTests()},
		{"create", createTests(features)},
		{"invalid spec", invalidSpecTests(features)},
		{"label", labelTests()},
		{"start", startTests()},
		{"port", portTests(features)},
		{"port of players", gamePortTests(features)},
		{"game", gameTests(features)},
		{"exit", exitTests(features)},
		{"stop", stopTests(features)},
		{"processes", processTests(features)},
		{"remove", removeTests()},
		{"external removal", externalRemovalTests(features)},
		{"list", listTests()},
		{"logs", logTests(features)},
		{"log streams", streamLogsTests(features)},
		{"usage", usageTests(features)},
		{"command", commandTests(features)},
		{"event", eventTests()},
		{"reopen", reopenTests()},
		{"owner", foreignTests()},
		{"foreign removal", foreignRemovalTests(features)},
		{"context", contextTests()},
		{"concurrency", concurrencyTests(features)},
	} {
		if len(group.tests) == 0 {
			continue
		}
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					test.run(t, newFixture(t, harness(t)))
				})
			}
		})
	}
}
