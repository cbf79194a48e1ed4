package recording

import "encoding/json"

// Method is the kind of a call.
type Method string

// The methods. Those up to Delete are calls of the record store, through REST or in process.
const (
	Get          Method = "get"           // one record
	List         Method = "list"          // all records of the run, by pages or at once
	Put          Method = "put"           // insert or overwrite the record
	PutIf        Method = "put_if"        // overwrite the record if it has the revision
	UpdateStatus Method = "update_status" // change the status by compare-and-swap
	Delete       Method = "delete"        // delete the record of a removed game
	SetLabels    Method = "labels"        // change the labels
	History      Method = "history"       // the ledger of the game

	Start   Method = "start"
	Stop    Method = "stop"
	Restart Method = "restart"
	Patch   Method = "patch"
	Move    Method = "move"
	Cleanup Method = "cleanup"
)

// IsWrite reports whether a call of the method can change a record.
func (m Method) IsWrite() bool { return m != Get && m != List && m != History }

// IsLifecycle reports whether the method is an operation on a container.
func (m Method) IsLifecycle() bool {
	switch m {
	case Start, Stop, Restart, Patch, Move, Cleanup:
		return true
	default:
		return false
	}
}

// Outcome is what a call reported.
type Outcome string

// The outcomes.
const (
	Done     Outcome = "done"
	NotFound Outcome = "not_found"
	// Conflict: a precondition failed, and the response shows the record that won.
	Conflict Outcome = "conflict"
	// Rejected: the request was never applied, for a reason that does not depend on the record's
	// revision, such as an operation that the state of the game does not allow.
	Rejected Outcome = "rejected"
	// Unavailable: the response states that nothing was applied.
	Unavailable Outcome = "unavailable"
	// Unknown: there was no response, or one that states that the outcome is unknown.
	Unknown Outcome = "unknown"
)

// Call is one call of a client with its result.
type Call struct {
	Client string `json:"client"` // one client makes one call after the other
	Node   string `json:"node"`   // the daemon, as "region/node"; empty for a store in the process of the client
	Method Method `json:"method"`
	Game   string `json:"game,omitempty"`
	Local  bool   `json:"local,omitempty"` // a read of what the daemon knows, without a request to etcd
	// OperationID is the one that the call sent. A retry is a call of its own with the same id.
	OperationID string `json:"operation_id,omitempty"`

	// What UpdateStatus and PutIf expect and write.
	From        string `json:"from,omitempty"`
	To          string `json:"to,omitempty"`
	ContainerID string `json:"container_id,omitempty"` // that UpdateStatus expects; empty expects none
	IfRevision  int64  `json:"if_revision,omitempty"`
	// Input is the record of a Put or PutIf.
	Input json.RawMessage `json:"input,omitempty"`
	// Status is the one to which a List is restricted; empty for all.
	Status string `json:"status,omitempty"`
	// FenceKey and FenceRevision are the fence that the write carried.
	FenceKey      string `json:"fence_key,omitempty"`
	FenceRevision int64  `json:"fence_revision,omitempty"`

	Started  int64   `json:"started"`
	Returned int64   `json:"returned"`
	Outcome  Outcome `json:"outcome"`
	Error    string  `json:"error,omitempty"`

	// Revision is that of the record that the call returned or wrote, or of a list; 0 if the
	// response has none.
	Revision int64 `json:"revision,omitempty"`
	// AsOf is the revision that a local Get states for what it shows, also for the absence of a record; 0 if the
	// response has none.
	AsOf int64 `json:"as_of,omitempty"`
	// Output is the record that the call returned, or with which it was in conflict.
	Output json.RawMessage `json:"output,omitempty"`
	// Items are the records of a List, and Entries those of a History, newest first.
	Items   []Item            `json:"items,omitempty"`
	Entries []json.RawMessage `json:"entries,omitempty"`
}

// Item is one record of a list.
type Item struct {
	Game        string `json:"game"`
	Revision    int64  `json:"revision"`
	Status      string `json:"status"`
	ContainerID string `json:"container_id,omitempty"`
}
