package runtime

// Port is a port of a game, and the address at which players reach it.
type Port struct {
	Name string `json:"name"`
	// Protocol is ProtocolTCP or ProtocolUDP.
	Protocol Protocol `json:"protocol"`
	// ContainerPort is the port that the game listens on in its container.
	ContainerPort int `json:"container_port,omitempty"`
	// Host is the address of the node for players: an IPv4 or IPv6 address without brackets,
	// or a DNS name.
	Host string `json:"host"`
	// Port is the port on Host.
	Port int `json:"port"`
}

// Protocol is a transport protocol.
type Protocol string

// The protocols.
const (
	ProtocolTCP Protocol = "tcp"
	ProtocolUDP Protocol = "udp"
)
