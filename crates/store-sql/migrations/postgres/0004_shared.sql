-- How often something was registered: each registration has a number.
ALTER TABLE pinward.store ADD COLUMN IF NOT EXISTS registrations int8 NOT NULL DEFAULT 0;
