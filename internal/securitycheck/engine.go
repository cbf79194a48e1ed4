package securitycheck

import (
	"cmp"
	"net/url"
	"os"
	"strings"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/loopback"
)

// defaultDockerHost is the address of a Docker Engine without settings.
const defaultDockerHost = "unix:///var/run/docker.sock"

// checkUser finds a daemon with all rights.
func (c *checker) checkUser() {
	c.addIf(c.env.UserID == 0, "user", "the daemon runs as root, and so does an attacker that controls it; run it as a user of its own")
}

// checkEngine finds games that can control the daemon or the machine.
func (c *checker) checkEngine() {
	host := cmp.Or(c.cfg.DockerHost, c.env.DockerHost, defaultDockerHost)
	u, err := url.Parse(host)
	if err != nil {
		return // the start of the engine reports it
	}
	if u.Scheme == "unix" {
		c.checkSocket(u.Path)
		return
	}
	usesDocker := c.cfg.Engine == config.EngineDocker || c.cfg.Engine == config.EngineAuto
	c.addIf(usesDocker && loopback.IsHost(u.Hostname()), "--docker-host",
		"every program that reaches %s controls this machine; use the socket of the Docker Engine", u.Redacted())
	c.checkGames(usesDocker, false)
}

// checkSocket checks the socket of the Docker Engine.
func (c *checker) checkSocket(path string) {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		c.checkGames(c.cfg.Engine == config.EngineDocker, false)
		return
	}
	mode := info.Mode().Perm()
	c.addIf(mode&0o002 != 0, "--docker-host", "mode %04o of %s lets every user of this machine become root; run chmod o-w %s", mode, path, path)
	canOpen := canWrite(path)
	usesDocker := c.cfg.Engine == config.EngineDocker || c.cfg.Engine == config.EngineAuto && canOpen
	c.checkGames(usesDocker, canOpen)
}

// checkGames checks what games may do. canOpenDocker means that the daemon's user can open the
// socket of the Docker Engine.
func (c *checker) checkGames(usesDocker, canOpenDocker bool) {
	if c.cfg.Engine == config.EngineNone {
		return
	}
	if usesDocker {
		user, _, _ := strings.Cut(c.cfg.DockerUser, ":")
		c.addIf(user == "0", "--docker-user", "games run as root of their containers; use another user")
		return
	}
	c.add("--engine", "games run as processes of the daemon's user, and can read its keys and its data; use Docker for games that you do not trust")
	c.addIf(canOpenDocker, "--engine", "games run as a user that can open the socket of the Docker Engine, and can become root; remove the user from the group of the socket")
}
