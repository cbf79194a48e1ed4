package node

// Offer is how well a node could run a game at the moment, as the node itself reports it.
type Offer struct {
	// HasImage reports whether the node has the game's image and need not pull it.
	HasImage bool `json:"has_image"`
	// Failures counts the recent starts of the image that failed on the node since the last
	// one that succeeded.
	Failures int `json:"failures"`
	// Starting counts the games that the node is starting without a reservation: those that needed none.
	Starting int `json:"starting"`
}
