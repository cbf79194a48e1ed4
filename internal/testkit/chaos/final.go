package chaos

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/chaos/traffic"
)

// finalTimeout is how long a daemon has until it reports no drift and lists what etcd has. The
// promise is 30 seconds.
const finalTimeout = 30 * time.Second

// recordFinal records what a daemon states after the last fault: whether it is ready, what it lists
// by itself, and what fsck and drift find. It waits until nothing is found, or the time is over.
func recordFinal(ctx context.Context, record *recording.Writer, clients *traffic.Traffic, changes *recorder, daemon traffic.Daemon) {
	ctx, cancel := context.WithTimeout(ctx, finalTimeout)
	defer cancel()
	state := finalState{fsck: []string{"no response"}, drift: []string{"no response"}}
	for {
		before, err := changes.catchUp(ctx)
		latest := readFinal(ctx, clients, daemon)
		after, errAfter := changes.catchUp(ctx)
		if ctx.Err() != nil { // the state before it is the last complete one
			break
		}
		state = latest
		isQuiet := err == nil && errAfter == nil && before == after
		if state.isRight() && isQuiet || !waitBriefly(ctx) {
			break
		}
	}
	record.Sample(recording.FinalHealth, daemon.Name(), state.health)
	record.Sample(recording.FinalList, daemon.Name(), state.items)
	record.Sample(recording.FinalFsck, daemon.Name(), state.fsck)
	record.Sample(recording.FinalDrift, daemon.Name(), state.drift)
}

// finalState is what a daemon states.
type finalState struct {
	health      int
	items       []recording.Item
	fsck, drift []string
}

func (s finalState) isRight() bool {
	return s.health == http.StatusOK && s.items != nil && len(s.fsck) == 0 && len(s.drift) == 0
}

func readFinal(ctx context.Context, clients *traffic.Traffic, daemon traffic.Daemon) finalState {
	var state finalState
	state.health, _ = clients.Read(ctx, daemon, "/readyz")
	state.fsck = readFindings(ctx, clients, daemon, "/v1/fsck")
	state.drift = readFindings(ctx, clients, daemon, "/v1/drift")
	state.items = clients.ListAll(ctx, daemon)
	return state
}

// readFindings returns the findings of a report, or why there is none. Nothing manages the records of the
// clients, whose region has no node.
func readFindings(ctx context.Context, clients *traffic.Traffic, daemon traffic.Daemon, path string) []string {
	status, body := clients.Read(ctx, daemon, path)
	var report struct {
		Findings []json.RawMessage `json:"findings"`
	}
	if err := json.Unmarshal(body, &report); status != http.StatusOK || err != nil {
		return []string{path + " failed: " + string(body)}
	}
	findings := []string{}
	for _, finding := range report.Findings {
		var about struct {
			Region string `json:"region"`
		}
		if err := json.Unmarshal(finding, &about); err != nil || about.Region != traffic.NoRegion {
			findings = append(findings, string(finding))
		}
	}
	return findings
}

// waitBriefly reports false when ctx has ended.
func waitBriefly(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(200 * time.Millisecond):
		return true
	}
}
