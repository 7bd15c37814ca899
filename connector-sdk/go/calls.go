package onefold

// The calls of the contract, with the configuration still as JSON text. Each error that they give is an *Error.

// call reads the configuration and runs a function of the connector.
func call[C, T any](config string, run func(config C) (T, error)) (T, error) {
	var none T
	parsed, err := ParseConfig[C](config)
	if err != nil {
		return none, err
	}
	given, err := run(parsed)
	if failure := ErrorOf(err); failure != nil {
		return none, failure
	}
	return given, nil
}

// cannot is the failure for what a connector cannot do.
func cannot(what string) *Error {
	return PermanentError("connector.cannot", "this connector cannot "+what)
}

// CallCheck calls the vendor once.
func (c *Connector[C]) CallCheck(hub Hub, config string) (CheckReport, error) {
	return call(config, func(config C) (CheckReport, error) {
		if c.Check == nil {
			return CheckReport{}, cannot("check")
		}
		return c.Check(hub, config)
	})
}

// CallDiscover gives the streams.
func (c *Connector[C]) CallDiscover(hub Hub, config string) ([]StreamInfo, error) {
	return call(config, func(config C) ([]StreamInfo, error) {
		if c.Discover == nil {
			return c.ManifestStreams()
		}
		return c.Discover(hub, config)
	})
}

// CallSplit gives parts that can be read side by side; since may be nil.
func (c *Connector[C]) CallSplit(hub Hub, config, stream string, since *string) ([]string, error) {
	return call(config, func(config C) ([]string, error) {
		if c.Split == nil {
			return []string{""}, nil
		}
		return c.Split(hub, config, stream, since)
	})
}

// CallRead gives the next batch.
func (c *Connector[C]) CallRead(hub Hub, config string, request ReadRequest) (Batch, error) {
	return call(config, func(config C) (Batch, error) {
		if c.Read == nil {
			return Batch{}, cannot("read")
		}
		return c.Read(hub, config, request)
	})
}

// CallTargets gives what can be written.
func (c *Connector[C]) CallTargets(hub Hub, config string) ([]TargetInfo, error) {
	return call(config, func(config C) ([]TargetInfo, error) {
		if c.Targets == nil {
			return c.ManifestTargets()
		}
		return c.Targets(hub, config)
	})
}

// CallWrite writes rows.
func (c *Connector[C]) CallWrite(hub Hub, config string, request WriteRequest) (Outcome, error) {
	return call(config, func(config C) (Outcome, error) {
		if c.Write == nil {
			return Outcome{}, cannot("write rows: it takes audiences only")
		}
		return c.Write(hub, config, request)
	})
}

// CallPoll gives the outcome of a job of a write, nil while it goes on.
func (c *Connector[C]) CallPoll(hub Hub, config, job string) (*Outcome, error) {
	return call(config, func(config C) (*Outcome, error) {
		if c.Poll == nil {
			return &Outcome{}, nil
		}
		return c.Poll(hub, config, job)
	})
}

// audiencePage is one page of audiences.
type audiencePage struct {
	audiences []AudienceRef
	next      *string
}

// CallListAudiences gives one page of audiences and the token of the next; the token may be nil both ways.
func (c *Connector[C]) CallListAudiences(hub Hub, config string, page *string) ([]AudienceRef, *string, error) {
	given, err := call(config, func(config C) (audiencePage, error) {
		if c.ListAudiences == nil {
			return audiencePage{}, cannot("list audiences")
		}
		audiences, next, err := c.ListAudiences(hub, config, page)
		return audiencePage{audiences, next}, err
	})
	return given.audiences, given.next, err
}

// CallCreate gives the audience of that name, making it when there is none. options is JSON and may be nil.
func (c *Connector[C]) CallCreate(hub Hub, config, name string, options *string) (AudienceRef, error) {
	return call(config, func(config C) (AudienceRef, error) {
		if c.Create == nil {
			return AudienceRef{}, cannot("create audiences")
		}
		return c.Create(hub, config, name, options)
	})
}

// CallAdd adds members to an audience.
func (c *Connector[C]) CallAdd(hub Hub, config string, change AudienceChange) (Outcome, error) {
	return call(config, func(config C) (Outcome, error) {
		if c.Add == nil {
			return Outcome{}, cannot("add members")
		}
		return c.Add(hub, config, change)
	})
}

// CallRemove removes members from an audience.
func (c *Connector[C]) CallRemove(hub Hub, config string, change AudienceChange) (Outcome, error) {
	return call(config, func(config C) (Outcome, error) {
		if c.Remove == nil {
			return Outcome{}, cannot("remove members")
		}
		return c.Remove(hub, config, change)
	})
}

// CallPollAudience gives the outcome of a job of an audience, nil while it goes on.
func (c *Connector[C]) CallPollAudience(hub Hub, config, job string) (*Outcome, error) {
	return call(config, func(config C) (*Outcome, error) {
		if c.PollAudience == nil {
			return &Outcome{}, nil
		}
		return c.PollAudience(hub, config, job)
	})
}

// CallEraseSubject erases one person at the vendor.
func (c *Connector[C]) CallEraseSubject(hub Hub, config string, ids []Identifier, requestID string) (Erasure, error) {
	return call(config, func(config C) (Erasure, error) {
		if c.EraseSubject == nil {
			return Erasure{}, cannot("erase")
		}
		return c.EraseSubject(hub, config, ids, requestID)
	})
}

// CallPollErasure tells how a job of an erasure stands.
func (c *Connector[C]) CallPollErasure(hub Hub, config, job string) (Erasure, error) {
	return call(config, func(config C) (Erasure, error) {
		if c.PollErasure == nil {
			return Erasure{Status: ErasureNotFound}, nil
		}
		return c.PollErasure(hub, config, job)
	})
}
