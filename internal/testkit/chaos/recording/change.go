package recording

// Change is one change of a key in etcd, as a watch of all keys of the store delivers it. The
// changes of a recording are complete from the first one on, in the order of their revisions; those
// of one revision have the order of the transaction.
type Change struct {
	Revision int64  `json:"revision"`
	At       int64  `json:"at"` // when it was received; it was applied before
	Key      string `json:"key"`
	Deleted  bool   `json:"deleted,omitempty"`
	Value    string `json:"value,omitempty"`
	Created  int64  `json:"created,omitempty"` // the revision at which the key was created
	Version  int64  `json:"version,omitempty"`
	Lease    int64  `json:"lease,omitempty"`
	// Initial is set for the keys that existed when the recording started, whose revisions are those
	// of their last change.
	Initial bool `json:"initial,omitempty"`
	// History counts how often the history of etcd was replaced, by the restore of a backup. The
	// revisions of different histories do not compare.
	History int `json:"history,omitempty"`
}
