package io.grpc;

/**
 * Google's Pub/Sub emulator 0.8.20 lacks a method that its own network code calls when a client goes away without a word.
 * It then takes the client to be there for ever and goes on to give it messages. With this class before its jar on the class
 * path it notices.
 */
public final class InternalStatus {
  public static final Metadata.Key<String> MESSAGE_KEY = Status.MESSAGE_KEY;
  public static final Metadata.Key<Status> CODE_KEY = Status.CODE_KEY;

  private InternalStatus() {}

  public static StatusRuntimeException asRuntimeExceptionWithoutStacktrace(Status status, Metadata trailers) {
    return new StatusRuntimeException(status, trailers);
  }

  public static StatusRuntimeException asRuntimeException(Status status, Metadata trailers, boolean withStack) {
    return new StatusRuntimeException(status, trailers);
  }
}
