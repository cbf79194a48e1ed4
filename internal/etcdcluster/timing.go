package etcdcluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Timing is how fast the members of a cluster detect a lost leader. It must be the same on all
// members: a member with a shorter election timeout disturbs leaders far away, and the leader
// steps down after its own.
type Timing struct {
	// Heartbeat is the time between two heartbeats of the leader.
	Heartbeat time.Duration
	// Election is how long a member waits for a heartbeat before it campaigns.
	Election time.Duration
}

// Bounds of the heartbeat interval. etcd accepts election timeouts of at most 50 s.
const (
	minHeartbeat  = 100 * time.Millisecond
	maxHeartbeat  = 5 * time.Second
	heartbeatStep = 50 * time.Millisecond
	// electionHeartbeats is the number of heartbeats without which a member campaigns.
	electionHeartbeats = 10
)

// TimingFor returns the timing of a cluster whose members have at most this round trip
// between them: a heartbeat interval of the round trip, rounded up to 50 ms, from 100 ms to
// 5 s, and an election timeout of ten of them.
func TimingFor(roundTrip time.Duration) Timing {
	rounded := (roundTrip + heartbeatStep - 1).Truncate(heartbeatStep)
	heartbeat := min(max(rounded, minHeartbeat), maxHeartbeat)
	return Timing{Heartbeat: heartbeat, Election: electionHeartbeats * heartbeat}
}

// Suits reports whether the election timeout is at least nine round trips. It is one less than
// in TimingFor: a measured round trip is a little longer than the distance that an operator knows.
func (t Timing) Suits(roundTrip time.Duration) bool {
	return t.Election >= (electionHeartbeats-1)*roundTrip || t.Heartbeat >= maxHeartbeat
}

// IsZero reports whether there is no timing.
func (t Timing) IsZero() bool { return t == Timing{} }

// String returns a description such as "heartbeat 100ms, election 1s".
func (t Timing) String() string {
	return fmt.Sprintf("heartbeat %s, election %s", t.Heartbeat, t.Election)
}

type timingJSON struct {
	HeartbeatMS int64 `json:"heartbeat_ms"`
	ElectionMS  int64 `json:"election_ms"`
}

// MarshalJSON implements json.Marshaler.
func (t Timing) MarshalJSON() ([]byte, error) {
	return json.Marshal(timingJSON{t.Heartbeat.Milliseconds(), t.Election.Milliseconds()})
}

// UnmarshalJSON implements json.Unmarshaler. It returns an error for a timing that etcd
// cannot use.
func (t *Timing) UnmarshalJSON(text []byte) error {
	var stored timingJSON
	if err := json.Unmarshal(text, &stored); err != nil {
		return err
	}
	decoded := Timing{Heartbeat: time.Duration(stored.HeartbeatMS) * time.Millisecond, Election: time.Duration(stored.ElectionMS) * time.Millisecond}
	if decoded.Heartbeat < time.Millisecond || decoded.Election < 5*decoded.Heartbeat || decoded.Election > electionHeartbeats*maxHeartbeat {
		return fmt.Errorf("timing with %s is not valid: the election timeout must be at least 5 heartbeats and at most %s", decoded, electionHeartbeats*maxHeartbeat)
	}
	*t = decoded
	return nil
}

// The keys of a cluster. They do not depend on the prefix of a store: they concern all
// members.
const (
	keyPrefix        = "/rtmanager-cluster/"
	timingKey        = keyPrefix + "timing"
	identityKey      = keyPrefix + "identity"
	runningKeyPrefix = keyPrefix + "running-timing/"
)

// LoadTiming returns the timing of the cluster, which is zero if none is stored.
func LoadTiming(ctx context.Context, client *clientv3.Client) (Timing, error) {
	timing, _, err := loadTiming(ctx, client)
	return timing, err
}

func loadTiming(ctx context.Context, client *clientv3.Client, options ...clientv3.OpOption) (timing Timing, modRevision int64, err error) {
	got, err := client.Get(ctx, timingKey, options...)
	if err != nil || len(got.Kvs) == 0 {
		return Timing{}, 0, err
	}
	if err := json.Unmarshal(got.Kvs[0].GetValue(), &timing); err != nil {
		return Timing{}, 0, fmt.Errorf("key %s: %w", timingKey, err)
	}
	return timing, got.Kvs[0].GetModRevision(), nil
}

// EnsureTiming stores the timing unless one is stored, and returns the stored one. The result is
// what the member of the client's connection has stored: it can be out of date.
func EnsureTiming(ctx context.Context, client *clientv3.Client, timing Timing) (Timing, error) {
	if stored, _, err := loadTiming(ctx, client, clientv3.WithSerializable()); err == nil && !stored.IsZero() {
		return stored, nil
	}
	for {
		stored, _, err := loadTiming(ctx, client)
		if err != nil || !stored.IsZero() {
			return stored, err
		}
		if stored, isStored, err := storeTiming(ctx, client, timing, 0); err != nil || isStored {
			return stored, err
		}
	}
}

// RaiseTiming stores the timing of the round trip if the stored one is too short for it. It returns the
// timing that is stored then.
func RaiseTiming(ctx context.Context, client *clientv3.Client, roundTrip time.Duration) (timing Timing, isRaised bool, err error) {
	for {
		stored, revision, err := loadTiming(ctx, client)
		if err != nil || !stored.IsZero() && stored.Suits(roundTrip) {
			return stored, false, err
		}
		raised, isStored, err := storeTiming(ctx, client, TimingFor(roundTrip), revision)
		if err != nil || isStored {
			return raised, isStored, err
		}
	}
}

// storeTiming stores the timing if the key has the revision; 0 means that it does not exist.
func storeTiming(ctx context.Context, client *clientv3.Client, timing Timing, modRevision int64) (Timing, bool, error) {
	value, err := json.Marshal(timing)
	if err != nil {
		return Timing{}, false, err
	}
	response, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(timingKey), "=", modRevision)).
		Then(clientv3.OpPut(timingKey, string(value))).
		Commit()
	if err != nil {
		return Timing{}, false, err
	}
	return timing, response.Succeeded, nil
}

// ReportTiming stores the timing that the member runs with, and removes the reports of members
// that the cluster does not have. It reads what the member of the client's connection has stored,
// so that a report that is stored already takes no round trip.
func ReportTiming(ctx context.Context, client *clientv3.Client, memberID uint64, timing Timing) error {
	reported, err := RunningTimings(ctx, client, clientv3.WithSerializable())
	if err != nil {
		return err
	}
	members, err := ListLocal(ctx, client)
	if err != nil {
		return err
	}
	value, err := json.Marshal(timing)
	if err != nil {
		return err
	}
	var ops []clientv3.Op
	if reported[memberID] != timing {
		ops = append(ops, clientv3.OpPut(runningKey(memberID), string(value)))
	}
	for id := range reported {
		if _, isMember := members.ByID(id); !isMember && id != memberID {
			ops = append(ops, clientv3.OpDelete(runningKey(id)))
		}
	}
	if len(ops) == 0 {
		return nil
	}
	_, err = client.Txn(ctx).Then(ops...).Commit()
	return err
}

func runningKey(memberID uint64) string {
	return runningKeyPrefix + strconv.FormatUint(memberID, 16)
}

// RunningTimings returns the timing that each member has started with, by member id. A member
// whose timing differs from the stored one needs a restart.
func RunningTimings(ctx context.Context, client *clientv3.Client, options ...clientv3.OpOption) (map[uint64]Timing, error) {
	got, err := client.Get(ctx, runningKeyPrefix, append(options, clientv3.WithPrefix())...)
	if err != nil {
		return nil, err
	}
	timings := make(map[uint64]Timing, len(got.Kvs))
	for _, kv := range got.Kvs {
		id, err := strconv.ParseUint(strings.TrimPrefix(string(kv.GetKey()), runningKeyPrefix), 16, 64)
		var timing Timing
		if err == nil && json.Unmarshal(kv.GetValue(), &timing) == nil {
			timings[id] = timing
		}
	}
	return timings, nil
}

// roundTripSamples is the number of requests that RoundTrip sends; it returns the fastest.
const roundTripSamples = 5

// RoundTrip returns the round trip to the member that the client has as its only endpoint. The
// requests are served by that member alone.
func RoundTrip(ctx context.Context, client *clientv3.Client) (time.Duration, error) {
	if _, err := ListLocal(ctx, client); err != nil { // opens the connection
		return 0, err
	}
	fastest := time.Duration(0)
	for range roundTripSamples {
		startedAt := time.Now()
		if _, err := ListLocal(ctx, client); err != nil {
			return 0, err
		}
		if took := time.Since(startedAt); fastest == 0 || took < fastest {
			fastest = took
		}
	}
	return fastest, nil
}
