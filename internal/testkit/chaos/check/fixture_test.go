package check_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

const second = int64(1e9)

// builder makes recordings by hand. Each step takes one second of the recording.
type builder struct {
	recording.Recording
	now      int64
	revision int64
	records  map[string]map[string]any
	seqs     map[string]int64
	created  map[string]int64
}

func newBuilder() *builder {
	b := &builder{revision: 10, records: map[string]map[string]any{}, seqs: map[string]int64{}, created: map[string]int64{}}
	b.Run = recording.Run{Prefix: "/p", Games: map[string]string{"g/1": "records", "g2": "records", "live": "lifecycle"}, Stable: math.MaxInt64 / 2}
	return b
}

// tick lets a second pass.
func (b *builder) tick() int64 {
	b.now += second
	return b.now
}

// record returns a record that is valid for its status.
func record(game, status, container string) map[string]any {
	const at = "2026-01-02T03:04:05Z"
	r := map[string]any{
		"game_id": game, "status": status, "region": "none", "node": "none", "current_container_id": container, "current_image_ref": "i:1",
		"state_path": "/s", "generation": 1, "created_at": at, "last_op_at": at, "started_at": at,
	}
	if status != "running" {
		r["stopped_at"] = at
	}
	if status == "removed" {
		r["removed_at"], r["current_container_id"] = at, ""
	}
	return r
}

func encode(value any) json.RawMessage {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return encoded
}

func with(r map[string]any, members ...any) map[string]any {
	changed := map[string]any{}
	for name, value := range r {
		changed[name] = value
	}
	for i := 0; i < len(members); i += 2 {
		changed[members[i].(string)] = members[i+1]
	}
	return changed
}

// change adds a change at the current revision.
func (b *builder) change(key, value string, deleted bool) {
	c := recording.Change{Revision: b.revision, At: b.now, Key: "/p" + key, Value: value, Deleted: deleted, Version: 1}
	if !deleted {
		if b.created[key] == 0 {
			b.created[key] = b.revision
		}
		c.Created = b.created[key]
	} else {
		delete(b.created, key)
	}
	b.Changes = append(b.Changes, c)
}

func escape(game string) string { return strings.ReplaceAll(game, "/", "%2F") }

// apply applies a write to etcd as the store does, and returns its revision.
func (b *builder) apply(game, operationID, kind string, after map[string]any) int64 {
	b.revision++
	b.tick()
	before := b.records[game]
	b.seqs[game]++
	from, _ := before["status"].(string)
	if before != nil && from != after["status"] {
		b.change("/runtimes-by-status/"+from+"/"+escape(game), "", true)
	}
	b.records[game] = after
	stored := with(after, "schema", 1, "last_write", map[string]any{"operation_id": operationID, "seq": b.seqs[game], "kind": kind})
	b.change("/runtimes/"+escape(game), string(encode(stored)), false)
	b.change(fmt.Sprintf("/runtimes-by-status/%s/%s", after["status"], escape(game)), after["current_container_id"].(string), false)
	b.change(fmt.Sprintf("/transitions/%s/%02d", escape(game), b.seqs[game]%32), string(encode(map[string]any{
		"seq": b.seqs[game], "from": from, "to": after["status"], "operation_id": operationID,
		"container_id": after["current_container_id"], "image": after["current_image_ref"], "at": "2026-01-02T03:04:05Z",
	})), false)
	return b.revision
}

// applyDeletion deletes the keys of a game.
func (b *builder) applyDeletion(game string) int64 {
	b.revision++
	b.tick()
	status := b.records[game]["status"].(string)
	b.change("/runtimes/"+escape(game), "", true)
	b.change("/runtimes-by-status/"+status+"/"+escape(game), "", true)
	for seq := max(1, b.seqs[game]-31); seq <= b.seqs[game]; seq++ {
		b.change(fmt.Sprintf("/transitions/%s/%02d", escape(game), seq%32), "", true)
	}
	delete(b.records, game)
	delete(b.seqs, game)
	return b.revision
}

// call adds a call that started one second ago and returns now, and returns its place.
func (b *builder) call(call recording.Call) int {
	if call.Started == 0 {
		call.Started = b.now - second/2
	}
	if call.Client == "" {
		call.Client = "c1"
	}
	if call.Returned == 0 {
		call.Returned = b.tick()
	}
	b.Calls = append(b.Calls, call)
	return len(b.Calls) - 1
}

// put writes a record, and returns its revision.
func (b *builder) put(game, operationID, status, container string) int64 {
	started, input := b.tick(), record(game, status, container)
	revision := b.apply(game, operationID, "upsert", input)
	b.call(recording.Call{Method: recording.Put, Game: game, OperationID: operationID, Input: encode(input), Started: started, Outcome: recording.Done, Revision: revision, Output: encode(input)})
	return revision
}

// transitioned returns the record after a transition.
func transitioned(r map[string]any, to string) map[string]any {
	const at = "2026-01-02T03:05:00Z"
	after := with(r, "status", to, "last_op_at", at)
	switch to {
	case "stopped":
		after["stopped_at"] = at
	case "removed":
		after["removed_at"], after["current_container_id"] = at, ""
	case "running":
		after["started_at"] = at
		delete(after, "stopped_at")
	}
	return after
}

// update changes the status of a record, and returns the revision.
func (b *builder) update(game, operationID, to string) int64 {
	started, before := b.tick(), b.records[game]
	after := transitioned(before, to)
	revision := b.apply(game, operationID, "transition", after)
	b.call(recording.Call{
		Method: recording.UpdateStatus, Game: game, OperationID: operationID, From: before["status"].(string), To: to, Started: started,
		Outcome: recording.Done, Revision: revision, Output: encode(after),
	})
	return revision
}

// deleteGame deletes a removed game.
func (b *builder) deleteGame(game, operationID string) int64 {
	started := b.tick()
	revision := b.applyDeletion(game)
	b.call(recording.Call{Method: recording.Delete, Game: game, OperationID: operationID, Started: started, Outcome: recording.Done})
	return revision
}

// get reads a record, and returns the place of the call.
func (b *builder) get(client, game string) int {
	call := recording.Call{Client: client, Method: recording.Get, Game: game, Started: b.tick(), Outcome: recording.NotFound}
	if r := b.records[game]; r != nil {
		call.Outcome, call.Revision, call.Output = recording.Done, b.revisionOf(game), encode(r)
	}
	return b.call(call)
}

// revisionOf returns the revision of the record.
func (b *builder) revisionOf(game string) int64 {
	for i := len(b.Changes) - 1; i >= 0; i-- {
		if b.Changes[i].Key == "/p/runtimes/"+escape(game) {
			return b.Changes[i].Revision
		}
	}
	return 0
}

// list lists all records of the status, and returns the place of the call.
func (b *builder) list(client, status string) int {
	call := recording.Call{Client: client, Method: recording.List, Status: status, Started: b.tick(), Outcome: recording.Done, Revision: b.revision}
	for _, game := range []string{"g/1", "g2"} {
		if r := b.records[game]; r != nil && (status == "" || r["status"] == status) {
			call.Items = append(call.Items, recording.Item{Game: game, Revision: b.revisionOf(game), Status: r["status"].(string), ContainerID: r["current_container_id"].(string)})
		}
	}
	return b.call(call)
}

// ledger reads the ledger of a game, and returns the place of the call.
func (b *builder) ledger(client, game string) int {
	call := recording.Call{Client: client, Method: recording.History, Game: game, Started: b.tick(), Outcome: recording.Done}
	prefix := "/p/transitions/" + escape(game) + "/"
	for i := len(b.Changes) - 1; i >= 0 && len(call.Entries) < int(min(32, b.seqs[game])); i-- {
		if c := b.Changes[i]; strings.HasPrefix(c.Key, prefix) && !c.Deleted {
			var entry map[string]any
			_ = json.Unmarshal([]byte(c.Value), &entry)
			call.Entries = append(call.Entries, encode(with(entry, "revision", c.Revision)))
		}
	}
	return b.call(call)
}

// violationCase breaks one promise in a correct recording.
type violationCase struct {
	name    string
	breakIt func(b *builder)
	want    string // part of the summary
}

// requireViolations checks that the correct recording passes, and that each case is reported.
func requireViolations(t *testing.T, rule string, correct func() *builder, cases []violationCase) {
	t.Helper()
	report := check.Check(&correct().Recording)
	require.Empty(t, report.Violations, "the correct recording is rejected: %v", report.Violations)
	require.Positive(t, report.Stats.Examined[rule], "rule %s examined nothing", rule)
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			b := correct()
			test.breakIt(b)
			report := check.Check(&b.Recording)
			for _, v := range report.Violations {
				if v.Rule == rule && strings.Contains(v.Summary, test.want) {
					require.NotEmpty(t, v.Evidence)
					return
				}
			}
			require.Fail(t, "the violation is not reported", "want %s: %s; got %v", rule, test.want, report.Violations)
		})
	}
}

// requireAccepted checks that each change of a correct recording is one of a correct store as well.
func requireAccepted(t *testing.T, correct func() *builder, cases map[string]func(b *builder)) {
	t.Helper()
	for name, modify := range cases {
		t.Run(name, func(t *testing.T) {
			b := correct()
			modify(b)
			require.Empty(t, check.Check(&b.Recording).Violations)
		})
	}
}
