package planted

// Bug names a planted bug, as RTMANAGER_PLANTED_BUG has it.
type Bug string

// Bugs of writes.
const (
	// BlindResend resends a write whose response was lost without a check for its operation id.
	BlindResend Bug = "blind_resend"
	// NewIDResend resends a write whose response was lost under a new operation id.
	NewIDResend Bug = "new_id_resend"
	// StaleConflict reports a conflict with a cached record that etcd has not confirmed.
	StaleConflict Bug = "stale_conflict"
	// StaleIndexKey keeps the status index key of the previous status, at one of 20 transitions.
	StaleIndexKey Bug = "stale_index_key"
	// UnfencedWrite omits the compare of the fence from writes of records and intents.
	UnfencedWrite Bug = "unfenced_write"
	// MissingCompare omits the compares of revision and status index from transitions.
	MissingCompare Bug = "missing_compare"
	// FalseBatchSuccess acknowledges a write of a batch although its nested transaction failed.
	FalseBatchSuccess Bug = "false_batch_success"
)

// Bugs of reads.
const (
	// GhostRecord keeps one of three deleted records in the cache.
	GhostRecord Bug = "ghost_record"
	// UnconfirmedRead serves a linearizable read from the cache without etcd's revision.
	UnconfirmedRead Bug = "unconfirmed_read"
)

// Bugs of watches.
const (
	// LostEvent drops one of 50 events.
	LostEvent Bug = "lost_event"
	// DuplicateEvent delivers one of 50 events twice.
	DuplicateEvent Bug = "duplicate_event"
	// SplitRevision marks each event as the last of its revision, so that a consumer resumes inside it.
	SplitRevision Bug = "split_revision"
	// ResumeOffByOne opens every second watch of etcd one revision too late; all but the first of a
	// process resume.
	ResumeOffByOne Bug = "resume_off_by_one"
	// WrongBefore sends the record after the change as the one before it, in one of 20 events.
	WrongBefore Bug = "wrong_before"
)

// Bugs of operations.
const (
	// UnresumedIntent ignores the operation that an earlier daemon of the node has left.
	UnresumedIntent Bug = "unresumed_intent"
	// RecordedStop records that a game is stopped without stopping its container.
	RecordedStop Bug = "recorded_stop"
)

// All returns every bug.
func All() []Bug {
	return []Bug{
		BlindResend, NewIDResend, StaleConflict, StaleIndexKey, UnfencedWrite, MissingCompare, FalseBatchSuccess,
		GhostRecord, UnconfirmedRead,
		LostEvent, DuplicateEvent, SplitRevision, ResumeOffByOne, WrongBefore,
		UnresumedIntent, RecordedStop,
	}
}
