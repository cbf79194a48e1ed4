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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// soakDuration is the default duration of the test; RTMANAGER_SOAK sets another one.
const (
	soakDuration = 12 * time.Second
	soakGames    = 12
	soakClients  = 6
)

// soak runs operations on a daemon, while the daemon and its games are killed at random.
type soak struct {
	t   *testing.T
	d   *daemonProcess
	ctx context.Context // ends when no further operation should start

	mu       sync.Mutex
	finished map[string][]operation.Outcome // results of the operations, by game
	counts   map[string]int
}

func TestSoak(t *testing.T) {
	duration := soakDuration
	if text := os.Getenv("RTMANAGER_SOAK"); text != "" {
		var err error
		duration, err = time.ParseDuration(text)
		require.NoError(t, err, "RTMANAGER_SOAK")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := startDaemonWith(t, "--engine", "process", "--region", "eu", "--node", "n1", "--node-ttl", "2s", "--reconcile-every", "1s")
	buildGameImages(t, filepath.Join(d.dir, "images", "gameserver"))
	ctx, end := context.WithTimeout(t.Context(), duration)
	defer end()
	s := &soak{t: t, d: d, ctx: ctx, finished: map[string][]operation.Outcome{}, counts: map[string]int{}}
	t.Cleanup(s.cleanUp)

	var wg sync.WaitGroup
	for i := range soakClients {
		wg.Go(func() { s.operate(rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	wg.Go(func() { s.killGames(rand.New(rand.NewPCG(seed, 1000))) })
	random := rand.New(rand.NewPCG(seed, 2000))
	for ctx.Err() == nil {
		d.killAfter(time.Duration(200+random.IntN(2500)) * time.Millisecond)
		s.count("daemons killed")
		d.start()
	}
	wg.Wait()
	s.waitUntilIdle()
	s.verify()
	t.Logf("%s: %v", duration, s.counts)
	require.Positive(t, s.counts["operations done"])
	require.Positive(t, s.counts["games killed"])
}

func (s *soak) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

func soakGame(n int) string { return fmt.Sprintf("game/%d", n) }

// operate runs random operations one after the other, each until its outcome is known.
func (s *soak) operate(random *rand.Rand) {
	for s.ctx.Err() == nil {
		request := ports.OperationRequest{GameID: soakGame(random.IntN(soakGames)), Origin: ports.Origin{OperationID: operation.NewID(), Actor: "soak"}}
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
		ctx, cancel := context.WithTimeout(s.t.Context(), 2*waitTimeout)
		outcome, err := s.d.client.Execute(ctx, request, nil)
		cancel()
		s.recordResult(request, outcome, err)
	}
}

func (s *soak) recordResult(request ports.OperationRequest, outcome operation.Outcome, err error) {
	switch {
	case err == nil && outcome.Record == nil:
		assert.Equal(s.t, operation.KindStop, request.Kind, "only a stop that preempts a first start leaves no record")
		s.count("first starts preempted")
	case err == nil:
		s.mu.Lock()
		s.finished[request.GameID] = append(s.finished[request.GameID], outcome)
		s.counts["operations done"]++
		s.mu.Unlock()
	case errors.Is(err, operation.ErrBusy), errors.Is(err, operation.ErrRejected), errors.Is(err, operation.ErrPreempted), errors.Is(err, runtime.ErrNotFound):
		s.count("operations rejected")
	case errors.Is(err, operation.ErrStartFailed), errors.Is(err, runtime.ErrConflict):
		s.count("operations failed") // for example because its game was killed during the start
	case errors.Is(err, runtime.ErrUnavailable), errors.Is(err, node.ErrUnreachable), errors.Is(err, runtime.ErrOutcomeUnknown):
		s.count("operations abandoned")
	default:
		assert.NoError(s.t, err, "%s of %s", request.Kind, request.GameID)
	}
}

// killGames sends SIGKILL to the processes of random games.
func (s *soak) killGames(random *rand.Rand) {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(s.ctx, time.Second)
		record, err := s.d.client.Get(ctx, soakGame(random.IntN(soakGames)))
		cancel()
		if err != nil || record.Status != runtime.StatusRunning || !strings.HasPrefix(record.EngineEndpoint, "http://127.0.0.1:") {
			continue
		}
		if pid := gamePID(client, record); pid > 1 && syscall.Kill(pid, syscall.SIGKILL) == nil {
			s.count("games killed")
		}
	}
}

// gamePID returns the process id that the game reports, 0 if another game responds or
// none.
func gamePID(client *http.Client, record runtime.RuntimeRecord) int {
	response, err := client.Get(record.EngineEndpoint + "/")
	if err != nil {
		return 0
	}
	defer func() { _ = response.Body.Close() }()
	var status struct {
		PID    int    `json:"pid"`
		GameID string `json:"game_id"`
	}
	if json.NewDecoder(response.Body).Decode(&status) != nil || status.GameID != record.GameID {
		return 0
	}
	return status.PID
}

// waitUntilIdle waits until no operation is in progress and no finding has an action.
func (s *soak) waitUntilIdle() {
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
	}, 2*waitTimeout, 200*time.Millisecond, "no drift and no operation in progress; last: %s", &last)
}

// cleanUp stops and removes the games, which outlive their daemon.
func (s *soak) cleanUp() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 2*waitTimeout)
	defer cancel()
	for n := range soakGames {
		for _, kind := range []operation.Kind{operation.KindStop, operation.KindCleanup} {
			_, err := s.d.client.Execute(ctx, ports.OperationRequest{GameID: soakGame(n), Kind: kind}, nil)
			if err != nil && !errors.Is(err, operation.ErrRejected) && !errors.Is(err, runtime.ErrNotFound) {
				assert.NoError(s.t, err, "%s %s", kind, soakGame(n))
			}
		}
	}
}
