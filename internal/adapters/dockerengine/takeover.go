package dockerengine

// TakeOver makes the engine own the containers of these ids, which were created under a
// former name of this node: Docker cannot change their labels. Ids of containers that do
// not exist are ignored. It must be called before any other method but ListOtherNodes.
func (e *Engine) TakeOver(ids []string) {
	e.takenOver = make(map[string]bool, len(ids))
	for _, id := range ids {
		e.takenOver[id] = true
	}
}
