package check

import (
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// checkEffect checks that the revision of an entry holds exactly the write of the call, and that the
// preconditions of the call held.
func (c *checker) checkEffect(call *recording.Call, e *truth.Entry) {
	after := c.history.Games[e.Game].Made(e.Revision)
	if !after.Exists() || after.Record == nil {
		return // rule invariants reports an entry without a record
	}
	before := after.Previous
	if !before.Exists() || before.Record == nil {
		before = nil
	}
	var fault string
	switch call.Method {
	case recording.Put, recording.PutIf:
		fault = putFault(call, before, after)
	case recording.UpdateStatus:
		fault = updateFault(call, before, after)
	case recording.SetLabels:
		fault = changeFault(before, after, "labels")
	default: // operations write under ids of their own
	}
	if fault == "" {
		return
	}
	lines := []string{describeVersion(after.Previous), describeVersion(after)}
	c.add(RuleWrites, fmt.Sprintf("the write %s of game %s at revision %d: %s", call.OperationID, call.Game, e.Revision, fault), append(lines, c.withRetries(call)...)...)
}

func putFault(call *recording.Call, before, after *truth.Version) string {
	if revision := revisionOf(before); call.Method == recording.PutIf && revision != call.IfRevision {
		return fmt.Sprintf("it requires revision %d and replaced revision %d", call.IfRevision, revision)
	}
	if len(call.Input) == 0 {
		return ""
	}
	input := truth.ParseFields(call.Input)
	if differences := input.Diff(after.Fields(), "ready"); len(differences) > 0 { // the store derives ready
		return fmt.Sprintf("the stored record differs from the written one in %v", differences)
	}
	return ""
}

func updateFault(call *recording.Call, before, after *truth.Version) string {
	switch {
	case before == nil:
		return "there was no record to update"
	case before.Record.Status != call.From:
		return fmt.Sprintf("it requires status %s and replaced status %s", call.From, before.Record.Status)
	case call.ContainerID != "" && before.Record.ContainerID != call.ContainerID:
		return fmt.Sprintf("it requires container %q and replaced container %q", call.ContainerID, before.Record.ContainerID)
	case after.Record.Status != call.To:
		return fmt.Sprintf("it writes status %s and wrote %s", call.To, after.Record.Status)
	}
	allowed := []string{"status", "last_op_at", "ports"}
	switch call.To {
	case truth.Stopped:
		allowed = append(allowed, "stopped_at")
	case truth.Removed:
		allowed = append(allowed, "removed_at", "current_container_id")
	case truth.Running:
		allowed = append(allowed, "started_at", "stopped_at")
	}
	return changeFault(before, after, allowed...)
}

// changeFault returns which fields a write has changed that it must keep.
func changeFault(before, after *truth.Version, allowed ...string) string {
	if before == nil {
		return "there was no record to change"
	}
	differences := slices.DeleteFunc(before.Fields().Diff(after.Fields(), allowed...), truth.IsCondition)
	if len(differences) > 0 {
		return fmt.Sprintf("it also changed %v", differences)
	}
	return ""
}

// revisionOf returns the revision of a record, 0 for none.
func revisionOf(v *truth.Version) int64 {
	if !v.Exists() {
		return 0
	}
	return v.Revision
}
