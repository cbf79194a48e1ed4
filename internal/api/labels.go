package api

import "galaxy/rtmanager/internal/domain/runtime"

// MetadataChange is the body of POST /v1/runtimes/{game_id}/metadata. It has one of the members.
type MetadataChange struct {
	Merge   *runtime.Metadata `json:"merge,omitempty" nullable:"false" doc:"A JSON merge patch (RFC 7396) of the metadata: a member that is null is removed, an object is merged, and any other value replaces the current one"`
	Replace *runtime.Metadata `json:"replace,omitempty" nullable:"false" doc:"The new metadata, in place of all of the current one"`
}

// LabelChange is the body of POST /v1/runtimes/{game_id}/labels. Labels that it does not name are
// kept.
type LabelChange struct {
	Set    map[string]string `json:"set,omitempty" doc:"Labels to add or to replace"`
	Remove []string          `json:"remove,omitempty" doc:"Keys of labels to remove; absent ones are ignored"`
}
