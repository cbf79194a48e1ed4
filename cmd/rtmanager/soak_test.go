package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/enginetest"
)

// soakTime is how long the daemon is killed by default; RTMANAGER_SOAK makes it
// minutes.
const (
	soakTime    = 12 * time.Second
	soakGames   = 12
	soakClients = 6
)

// soak is a daemon that runs games and is killed at random, with them, under a
// stream of operations.
type soak struct {
	t    *testing.T
	d    *daemonProcess
	over context.Context // when it ends, no operation begins any more

	mu       sync.Mutex
	finished map[string][]operation.Outcome // by game, as they were told
	counts   map[string]int
}

func TestSoakGamesComeOutWhole(t *testing.T) {
	lasts := soakTime
	if text := os.Getenv("RTMANAGER_SOAK"); text != "" {
		var err error
		lasts, err = time.ParseDuration(text)
		require.NoError(t, err, "RTMANAGER_SOAK")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := startDaemonWith(t, "--engine", "process", "--region", "eu", "--node", "n1", "--node-ttl", "2s", "--reconcile-every", "1s")
	buildSoakImages(t, filepath.Join(d.dir, "images", "gameserver"))
	over, end := context.WithTimeout(t.Context(), lasts)
	defer end()
	s := &soak{t: t, d: d, over: over, finished: map[string][]operation.Outcome{}, counts: map[string]int{}}
	t.Cleanup(s.cleanUp)

	var busy sync.WaitGroup
	for i := range soakClients {
		busy.Go(func() { s.operate(rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	busy.Go(func() { s.killGames(rand.New(rand.NewPCG(seed, 1000))) })
	random := rand.New(rand.NewPCG(seed, 2000))
	for over.Err() == nil {
		d.killAfter(time.Duration(200+random.IntN(2500)) * time.Millisecond)
		s.count("daemons killed")
		d.start()
	}
	busy.Wait()
	s.settle()
	s.verify()
	t.Logf("%s: %v", lasts, s.counts)
	require.Positive(t, s.counts["operations done"])
	require.Positive(t, s.counts["games killed"])
}

func buildSoakImages(t testing.TB, dir string) {
	t.Helper()
	require.NoError(t, enginetest.BuildGame(t.Context(), filepath.Join(dir, "1.0.0"), "1.0.0"))
	require.NoError(t, os.Link(filepath.Join(dir, "1.0.0"), filepath.Join(dir, "1.0.1")))
}

func (s *soak) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

func soakGame(n int) string { return fmt.Sprintf("game/%d", n) }

// operate asks for one operation after the other, and for each as often as it takes
// to be told its outcome.
func (s *soak) operate(random *rand.Rand) {
	for s.over.Err() == nil {
		request := ports.OperationRequest{GameID: soakGame(random.IntN(soakGames)), Origin: ports.Origin{OperationID: "op_" + uuid.NewString(), Actor: "soak"}}
		switch random.IntN(6) {
		case 0, 1:
			request.Kind = operation.KindStart
			request.Spec = &operation.Spec{
				Image: "gameserver:1.0.0", StopGrace: operation.Duration(time.Second), HealthTimeout: operation.Duration(10 * time.Second),
				Crash: operation.CrashPolicy{Attempts: 1000, Delay: operation.Duration(10 * time.Millisecond)},
			}
		case 2:
			request.Kind = operation.KindStop
		case 3:
			request.Kind = operation.KindRestart
		case 4:
			request.Kind, request.Image = operation.KindPatch, fmt.Sprintf("gameserver:1.0.%d", random.IntN(2))
		default:
			request.Kind = operation.KindCleanup
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), 2*patience)
		outcome, err := s.d.client.Execute(ctx, request, nil)
		cancel()
		s.tell(request, outcome, err)
	}
}

func (s *soak) tell(request ports.OperationRequest, outcome operation.Outcome, err error) {
	switch {
	case err == nil:
		s.mu.Lock()
		s.finished[request.GameID] = append(s.finished[request.GameID], outcome)
		s.counts["operations done"]++
		s.mu.Unlock()
	case errors.Is(err, operation.ErrBusy), errors.Is(err, operation.ErrRefused), errors.Is(err, runtime.ErrNotFound):
		s.count("operations refused")
	case errors.Is(err, operation.ErrStartFailed), errors.Is(err, runtime.ErrConflict):
		s.count("operations failed") // its game was killed while it came up, say
	case errors.Is(err, runtime.ErrUnavailable), errors.Is(err, node.ErrUnreachable), errors.Is(err, runtime.ErrOutcomeUnknown):
		s.count("operations given up")
	default:
		assert.NoError(s.t, err, "%s of %s", request.Kind, request.GameID)
	}
}

// killGames kills the process of one game after the other with signal 9.
func (s *soak) killGames(random *rand.Rand) {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.over.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(s.over, time.Second)
		record, err := s.d.client.Get(ctx, soakGame(random.IntN(soakGames)))
		cancel()
		if err != nil || record.Status != runtime.StatusRunning || !strings.HasPrefix(record.EngineEndpoint, "http://127.0.0.1:") {
			continue
		}
		if pid := pidOf(client, record); pid > 1 && syscall.Kill(pid, syscall.SIGKILL) == nil {
			s.count("games killed")
		}
	}
}

// pidOf asks the game for its process id, 0 where another game, or nobody, answers.
func pidOf(client *http.Client, record runtime.RuntimeRecord) int {
	response, err := client.Get(record.EngineEndpoint + "/")
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	var said struct {
		PID    int    `json:"pid"`
		GameID string `json:"game_id"`
	}
	if json.NewDecoder(response.Body).Decode(&said) != nil || said.GameID != record.GameID {
		return 0
	}
	return said.PID
}

// settle waits until nothing is in progress and nothing is to be done.
func (s *soak) settle() {
	s.t.Helper()
	var last string
	require.Eventually(s.t, func() bool {
		report, err := s.d.client.Drift(s.t.Context())
		if err != nil {
			last = err.Error()
			return false
		}
		for _, f := range report.Findings {
			if f.Action != drift.ActionNone {
				last = fmt.Sprintf("%+v", f)
				return false
			}
		}
		for n := range soakGames {
			page, err := s.d.client.Explain(s.t.Context(), soakGame(n))
			if err == nil && page.Intent != nil && page.Intent.Current != nil {
				last = fmt.Sprintf("%+v", page.Intent.Current)
				return false
			}
		}
		return true
	}, 2*patience, 200*time.Millisecond, "games must settle; the last that had not: %s", &last)
}

// verify holds what every game is against what the clients were told.
func (s *soak) verify() {
	s.t.Helper()
	for n := range soakGames {
		gameID := soakGame(n)
		page, err := s.d.client.Explain(s.t.Context(), gameID)
		if errors.Is(err, runtime.ErrNotFound) {
			require.Empty(s.t, s.finished[gameID], "%s is lost", gameID)
			continue
		}
		require.NoError(s.t, err)
		if page.Record == nil {
			require.Empty(s.t, s.finished[gameID], "%s has lost its record", gameID)
			require.Empty(s.t, page.Containers, "%s has no record and containers", gameID)
			continue
		}
		s.verifyContainers(page)
		s.verifyLedger(page)
		s.verifyOutcomes(gameID, page)
	}
	report, err := s.d.client.Check(s.t.Context(), false)
	require.NoError(s.t, err)
	require.Empty(s.t, report.Findings, "fsck")
}

func (s *soak) verifyContainers(page drift.Explanation) {
	s.t.Helper()
	want := map[string]container.State{}
	switch page.Record.Status {
	case runtime.StatusRunning:
		want[page.Record.CurrentContainerID] = container.StateRunning
	case runtime.StatusStopped:
		want[page.Record.CurrentContainerID] = container.StateExited
	case runtime.StatusRemoved:
	}
	have := map[string]container.State{}
	for _, c := range page.Containers {
		have[c.ID] = c.State
		if c.State == container.StateCreated {
			have[c.ID] = container.StateExited // patched while it was stopped
		}
	}
	require.Equal(s.t, want, have, "%s is %s: its container, and no other", page.GameID, page.Record.Status)
}

func (s *soak) verifyLedger(page drift.Explanation) {
	s.t.Helper()
	seen := map[string]bool{}
	for i, entry := range page.History {
		require.False(s.t, seen[entry.OperationID], "%s: %s wrote twice", page.GameID, entry.OperationID)
		seen[entry.OperationID] = true
		switch entry.From {
		case "", entry.To: // the first one, and a record that was put anew
		case runtime.StatusRemoved:
			require.Equal(s.t, runtime.StatusRunning, entry.To, "%s: entry %d", page.GameID, entry.Seq)
		default:
			require.NoError(s.t, runtime.Transition(entry.From, entry.To), "%s: entry %d", page.GameID, entry.Seq)
		}
		if i > 0 {
			require.Equal(s.t, entry.To, page.History[i-1].From, "%s: entry %d", page.GameID, page.History[i-1].Seq)
			require.Equal(s.t, entry.Seq+1, page.History[i-1].Seq, "%s", page.GameID)
		}
	}
}

// verifyOutcomes looks for what clients were told among what the game remembers:
// each of its recent operations that they know of ended as they were told.
func (s *soak) verifyOutcomes(gameID string, page drift.Explanation) {
	s.t.Helper()
	for _, told := range s.finished[gameID] {
		if kept, remembered := page.Intent.OutcomeOf(told.OperationID); remembered {
			require.Equal(s.t, told.Failure, kept.Failure, "%s: %s", gameID, told.OperationID)
			require.Equal(s.t, told.Revision, kept.Revision, "%s: %s", gameID, told.OperationID)
		}
	}
	if len(s.finished[gameID]) > 0 {
		last := s.finished[gameID][len(s.finished[gameID])-1]
		require.NotEmpty(s.t, page.Intent.Recent, "%s: %s is forgotten", gameID, last.OperationID)
	}
}

// cleanUp stops and removes what still runs: games outlive their daemon.
func (s *soak) cleanUp() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 2*patience)
	defer cancel()
	for n := range soakGames {
		for _, kind := range []operation.Kind{operation.KindStop, operation.KindCleanup} {
			_, err := s.d.client.Execute(ctx, ports.OperationRequest{GameID: soakGame(n), Kind: kind}, nil)
			if err != nil && !errors.Is(err, operation.ErrRefused) && !errors.Is(err, runtime.ErrNotFound) {
				assert.NoError(s.t, err, "%s %s", kind, soakGame(n))
			}
		}
	}
}
