-- What a notice that is about no file was made of, so that the same message makes one notice however often it comes.
ALTER TABLE messages ADD COLUMN source TEXT;
CREATE UNIQUE INDEX messages_by_source ON messages (source);
