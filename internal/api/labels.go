package api

// LabelChange is the body of POST /v1/runtimes/{game_id}/labels. Labels that it does not name are
// kept.
type LabelChange struct {
	Set    map[string]string `json:"set,omitempty" doc:"Labels to add or to replace"`
	Remove []string          `json:"remove,omitempty" doc:"Keys of labels to remove; absent ones are ignored"`
}
