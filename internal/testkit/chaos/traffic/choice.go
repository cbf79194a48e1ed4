package traffic

import (
	"encoding/json"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// The statuses of a record.
const (
	running = "running"
	stopped = "stopped"
	removed = "removed"
)

// NoRegion is the region and the node of records that no daemon manages.
const NoRegion = "none"

// choose returns the next call of the client, without its result.
func (c *client) choose() recording.Call {
	call := recording.Call{Game: c.t.recordGame(c.rng.IntN(c.t.cfg.Games))}
	if c.isReader {
		call.Method, call.Local = recording.Get, c.rng.IntN(2) == 0
		return call
	}
	roll := c.rng.IntN(100)
	if c.isInBursts {
		roll = 48 + c.rng.IntN(52) // the writes
	}
	switch {
	case roll < 20:
		call.Method = recording.Get
	case roll < 32:
		call.Method, call.Local = recording.Get, true
	case roll < 38:
		call.Method, call.Game, call.Status = recording.List, "", c.statusFilter()
	case roll < 44:
		call.Method, call.Game, call.Local = recording.List, "", true
	case roll < 48:
		call.Method = recording.History
	case roll < 60:
		call.Method = recording.Put
		call.Input = c.newRecord(call.Game)
	case roll < 66:
		call.Method, call.IfRevision = recording.PutIf, c.seen[call.Game].revision
		call.Input = c.newRecord(call.Game)
	case roll < 74 && (c.seen[call.Game].status == removed || roll < 67): // others are rejected
		call.Method = recording.Delete
	case roll < 78 && c.target.hasLabels():
		call.Method = recording.SetLabels
		call.Input, _ = json.Marshal(map[string]any{"set": map[string]string{"client": fmt.Sprintf("%d-%d", c.id, c.writes+1)}})
	default:
		c.chooseUpdate(&call)
	}
	if call.Method.IsWrite() {
		call.OperationID = c.operationID()
	}
	return call
}

func (c *client) statusFilter() string {
	return []string{"", "", running, stopped, removed}[c.rng.IntN(5)]
}

// chooseUpdate mostly expects what the client saw last, which others may have changed.
func (c *client) chooseUpdate(call *recording.Call) {
	transitions := map[string][]string{running: {stopped, stopped, stopped, removed}, stopped: {running, running, running, removed}}
	call.Method = recording.UpdateStatus
	seen := c.seen[call.Game]
	call.From = seen.status
	if len(transitions[call.From]) == 0 || c.rng.IntN(8) == 0 {
		call.From = []string{running, stopped}[c.rng.IntN(2)]
	}
	call.To = transitions[call.From][c.rng.IntN(4)]
	switch c.rng.IntN(6) {
	case 0, 1, 2:
		call.ContainerID = seen.containerID
	case 3:
		call.ContainerID = "another"
	}
}

// newRecord returns a record of the game that differs from all others by its state path. It is on a
// node that does not exist, so no daemon manages it.
func (c *client) newRecord(game string) json.RawMessage {
	status := []string{running, running, stopped, removed}[c.rng.IntN(4)]
	// A second has no fraction, so that every encoding of a time is the same.
	now := time.Now().UTC().Truncate(time.Second).Format(time.RFC3339)
	record := map[string]any{
		"game_id": game, "status": status, "region": NoRegion, "node": NoRegion, "current_container_id": fmt.Sprintf("container-%d", c.rng.IntN(3)),
		"current_image_ref": "gameserver:1.0.0", "engine_endpoint": "", "state_path": fmt.Sprintf("/state/%d/%d", c.id, c.writes+1), "docker_network": "",
		"generation": 1, "created_at": now, "last_op_at": now, "started_at": now,
	}
	switch status {
	case stopped:
		record["stopped_at"] = now
	case removed:
		record["stopped_at"], record["removed_at"], record["current_container_id"] = now, now, ""
	}
	encoded, _ := json.Marshal(record)
	return encoded
}

// shownRecord is the part of a record that clients look at.
type shownRecord struct {
	GameID      string `json:"game_id"`
	Status      string `json:"status"`
	ContainerID string `json:"current_container_id"`
	Node        string `json:"node"`
	Region      string `json:"region"`
}

func decodeRecord(encoded json.RawMessage) (shownRecord, error) {
	var record shownRecord
	err := json.Unmarshal(encoded, &record)
	return record, err
}
