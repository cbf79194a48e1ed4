package login

import "time"

// SetSlowDown replaces how much the interval grows when the issuer requests it.
func (c *Client) SetSlowDown(d time.Duration) { c.slowDown = d }
