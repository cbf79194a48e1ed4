package securitycheck

import (
	"fmt"
	"os"
	"time"

	"galaxy/rtmanager/internal/config"
)

// Weakness is one way in which the daemon is not protected.
type Weakness struct {
	// Setting is the flag that would change it, such as --auth.
	Setting string
	// Text is what an attacker could do, and what to change.
	Text string
}

// String returns the weakness as a line.
func (w Weakness) String() string { return w.Setting + ": " + w.Text }

// Environment is what the checks read in addition to the settings.
type Environment struct {
	Now func() time.Time
	// UserID is the effective user id of the daemon, negative if there is none.
	UserID int
	// DockerHost is the address of the Docker Engine if the settings have none.
	DockerHost string
}

// SystemEnvironment returns the environment of this process.
func SystemEnvironment() Environment {
	return Environment{Now: time.Now, UserID: os.Geteuid(), DockerHost: os.Getenv("DOCKER_HOST")}
}

// Run returns the weaknesses of valid settings, in the order of the settings.
func Run(cfg config.Config, env Environment) []Weakness {
	c := &checker{cfg: cfg, env: env}
	c.checkExposure()
	c.checkAuth()
	c.checkFederation()
	c.checkCertificates()
	c.checkIssuer()
	if cfg.HasEmbeddedEtcd() {
		c.checkMember()
	} else {
		c.checkEndpoints()
	}
	c.checkSecrets()
	c.checkLimits()
	c.checkAudit()
	c.checkDataDir()
	c.checkUser()
	c.checkEngine()
	return c.found
}

// checker collects weaknesses.
type checker struct {
	cfg   config.Config
	env   Environment
	found []Weakness
}

// add adds a weakness.
func (c *checker) add(setting, format string, args ...any) {
	c.found = append(c.found, Weakness{setting, fmt.Sprintf(format, args...)})
}

// addIf adds a weakness that exists.
func (c *checker) addIf(exists bool, setting, format string, args ...any) {
	if exists {
		c.add(setting, format, args...)
	}
}
