package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/enginetest"
)

// gameImagesCommand builds cmd/gameserver as the images gameserver:1.0.0 and 1.0.1 in a directory. The latter
// cannot start if the environment of the game has CANARY=fails.
func gameImagesCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: gameimages DIR")
	}
	dir := filepath.Join(ts.MkAbs(args[0]), "gameserver")
	ts.Check(os.MkdirAll(dir, 0o750))
	first := filepath.Join(dir, "1.0.0")
	ts.Check(enginetest.BuildGame(context.Background(), first, "1.0.0"))
	next := fmt.Sprintf("#!/bin/sh\n[ \"$CANARY\" = fails ] && echo cannot load the map >&2 && exit 7\nexec %q \"$@\"\n", first)
	ts.Check(os.WriteFile(filepath.Join(dir, "1.0.1"), []byte(next), 0o700)) //nolint:gosec // a program must be executable
}

type downtimesKey struct{}

// downtimes measures for how long games are not ready, as a watcher of all records sees it.
type downtimes struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	err     error
	since   map[string]time.Time     // when a game became not ready; guarded by mu
	longest map[string]time.Duration // by game, of the games that are ready; guarded by mu
}

// downtimesCommand measures between its calls with start and end, for which it sets the variable NAME to the
// longest time in milliseconds that a game was not ready. end waits until COUNT games have been down and are ready.
func downtimesCommand(ts *testscript.TestScript, _ bool, args []string) {
	watches := ts.Value(downtimesKey{}).(map[string]*downtimes)
	switch {
	case len(args) == 2 && args[0] == "start":
		client, err := httpclient.New(ts.Getenv("RTMANAGER_SERVER"), httpclient.Config{})
		ts.Check(err)
		watches[args[1]] = watchDowntimes(client)
	case len(args) == 3 && args[0] == "end":
		count, err := strconv.Atoi(args[2])
		ts.Check(err)
		longest := watches[args[1]].end(ts, count)
		ts.Setenv(args[1], strconv.FormatInt(longest.Milliseconds(), 10))
		ts.Logf("longest time that a game was down: %s", longest.Round(time.Millisecond))
	default:
		ts.Fatalf("usage: downtimes start NAME | downtimes end NAME COUNT")
	}
}

// watchDowntimes starts a watch of all records.
func watchDowntimes(client *httpclient.Client) *downtimes {
	ctx, cancel := context.WithCancel(context.Background())
	d := &downtimes{cancel: cancel, since: map[string]time.Time{}, longest: map[string]time.Duration{}}
	d.done.Go(func() {
		defer func() { _ = client.Close() }()
		for event, err := range client.Watch(ctx, ports.WatchOptions{}) {
			if err != nil {
				d.mu.Lock()
				d.err = err
				d.mu.Unlock()
				return
			}
			d.add(event)
		}
	})
	return d
}

func (d *downtimes) add(event ports.RuntimeEvent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if event.GameID == "" || event.After == nil {
		return
	}
	since, isDown := d.since[event.GameID]
	switch isReady := event.After.IsReady(); {
	case isReady && isDown:
		d.longest[event.GameID] = max(d.longest[event.GameID], time.Since(since))
		delete(d.since, event.GameID)
	case !isReady && !isDown:
		d.since[event.GameID] = time.Now()
	}
}

// end waits until count games were down and all are ready, ends the watch, and returns the longest time.
func (d *downtimes) end(ts *testscript.TestScript, count int) time.Duration {
	deadline := time.Now().Add(waitTimeout)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		d.mu.Lock()
		down, ready, err := len(d.since), len(d.longest), d.err
		longest := time.Duration(0)
		for _, one := range d.longest {
			longest = max(longest, one)
		}
		d.mu.Unlock()
		if down == 0 && ready >= count || err != nil || time.Now().After(deadline) {
			d.cancel()
			d.done.Wait()
			if down > 0 || ready < count {
				ts.Fatalf("%d games were down and are ready, %d are down; want %d: %v", ready, down, count, err)
			}
			return longest
		}
		<-tick.C
	}
}

// storedCommand writes the keys of the store to a file, except those of families whose number of keys does not
// grow with the number of games: one key of a node or region, and at most 256 deletion epochs.
func storedCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: stored FILE")
	}
	withEtcd(ts, func(ctx context.Context, client *clientv3.Client) error {
		resp, err := client.Get(ctx, "/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
		if err != nil {
			return err
		}
		keys := map[string]bool{}
		for _, kv := range resp.Kvs {
			key := string(kv.Key)
			if !slices.ContainsFunc([]string{"/deletion-epochs/", "/reservations/", "/leaders/"}, func(family string) bool { return strings.Contains(key, family) }) {
				keys[key] = true
			}
		}
		text := strings.Join(slices.Sorted(maps.Keys(keys)), "\n") + "\n"
		return os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600)
	})
}
