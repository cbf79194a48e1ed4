package gameevent

import (
	"maps"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Derive returns what has happened between two versions of a record, in the order of the types. before is nil for the
// first record of a game, and after for a deleted one. Other changes, such as the one of an address, are no events.
//
// An operation that has ended before a record named it, in less than 100 ms, has neither Started nor Finished: its
// change of the status has its id in the ledger.
func Derive(before, after *runtime.RuntimeRecord) []Event {
	switch {
	case before == nil && after == nil:
		return nil
	case after == nil:
		return []Event{newEvent(Deleted, *before, latestTime(*before)).between(string(before.Status), "")}
	case before == nil:
		d := derivation{after: *after}
		d.add(newEvent(Created, *after, after.CreatedAt).between("", string(after.Status)))
		d.addOperations()
		return d.events
	}
	d := derivation{before: *before, after: *after}
	d.addNode()
	d.addOperationStart()
	d.addRecord()
	d.addCondition()
	d.addOperationEnd()
	return d.events
}

// derivation collects the events of one change.
type derivation struct {
	before, after runtime.RuntimeRecord
	events        []Event
}

func (d *derivation) add(event Event) { d.events = append(d.events, event) }

// addIf adds an event from one value to another if they differ.
func (d *derivation) addIf(isChanged bool, t Type, at *time.Time, from, to string) {
	if !isChanged {
		return
	}
	when := latestTime(d.after)
	if at != nil {
		when = *at
	}
	d.add(newEvent(t, d.after, when).between(from, to))
}

func (d *derivation) addOperations() {
	d.addOperationStart()
	d.addOperationEnd()
}

func (d *derivation) addNode() {
	a, b := d.before, d.after
	isMoved := nodeOf(a) != nodeOf(b) && a.Node != "" && b.Node != ""
	d.addIf(a.NodeLostAt == nil && b.NodeLostAt != nil, NodeLost, b.NodeLostAt, "", nodeOf(b))
	d.addIf(a.NodeLostAt != nil && b.NodeLostAt == nil && !isMoved, NodeReturned, nil, "", nodeOf(b))
}

func (d *derivation) addOperationStart() {
	if op := d.after.Operation; op != nil && (d.before.Operation == nil || d.before.Operation.ID != op.ID) {
		event := newEvent(Started, d.after, op.StartedAt)
		event.OperationID, event.OperationKind = op.ID, op.Kind
		d.add(event)
	}
}

// addRecord adds the changes of the record except its condition.
func (d *derivation) addRecord() {
	a, b := d.before, d.after
	d.addIf(nodeOf(a) != nodeOf(b) && a.Node != "" && b.Node != "", Relocated, &b.LastOpAt, nodeOf(a), nodeOf(b))
	d.addIf(a.CurrentImageRef != b.CurrentImageRef || a.ImageDigest != b.ImageDigest && a.ImageDigest != "" && b.ImageDigest != "", ImageChanged, &b.LastOpAt, a.CurrentImageRef, b.CurrentImageRef)
	d.addIf(a.Status != b.Status, StatusChanged, &b.LastOpAt, string(a.Status), string(b.Status))
}

// addCondition adds the changes of the condition and of what users set.
func (d *derivation) addCondition() {
	a, b := d.before, d.after
	d.addIf(b.Restarts > a.Restarts, CrashRestarted, b.StartedAt, strconv.FormatInt(a.Restarts, 10), strconv.FormatInt(b.Restarts, 10))
	d.addIf(!a.CrashLoop && b.CrashLoop, CrashLoop, nil, "", "")
	d.addIf(a.CrashLoop && !b.CrashLoop, CrashLoopEnded, nil, "", "")
	d.addIf(a.Health != b.Health && b.Health != "", HealthChanged, b.HealthSince, string(a.Health), string(b.Health))
	d.addIf(a.IsReady() != b.IsReady(), ReadyChanged, nil, strconv.FormatBool(a.IsReady()), strconv.FormatBool(b.IsReady()))
	d.addIf(!maps.Equal(a.Labels, b.Labels), LabelsChanged, nil, "", "")
	d.addIf(a.Metadata.Normal() != b.Metadata.Normal(), MetadataChanged, nil, "", "")
}

// addOperationEnd adds the end of an operation. A stop or a cleanup ends with the write of its status, and has
// succeeded then; the result of another operation is in its outcome.
func (d *derivation) addOperationEnd() {
	op := d.before.Operation
	if op == nil || d.after.Operation != nil && d.after.Operation.ID == op.ID {
		return
	}
	event := newEvent(Finished, d.after, latestTime(d.after))
	event.OperationID, event.OperationKind = op.ID, op.Kind
	isEnd := op.Kind == "stop" && d.after.Status == runtime.StatusStopped || op.Kind == "cleanup" && d.after.Status == runtime.StatusRemoved
	if isEnd && d.before.Status != d.after.Status {
		event.Result = Succeeded
	}
	d.add(event)
}

func newEvent(t Type, record runtime.RuntimeRecord, at time.Time) Event {
	return Event{Type: t, GameID: record.GameID, Time: at.UTC(), Region: record.Region, Node: record.Node, Status: record.Status}
}

func (e Event) between(from, to string) Event {
	e.From, e.To = from, to
	return e
}

// nodeOf returns the node of the record as REGION/NODE.
func nodeOf(r runtime.RuntimeRecord) string { return r.Region + "/" + r.Node }

// latestTime returns the latest time of the record.
func latestTime(r runtime.RuntimeRecord) time.Time {
	latest := r.LastOpAt
	for _, at := range []*time.Time{r.HealthSince, r.NodeLostAt, r.StartedAt, r.StoppedAt, r.RemovedAt} {
		if at != nil && at.After(latest) {
			latest = *at
		}
	}
	return latest
}
